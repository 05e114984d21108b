import kafkajs, { type Consumer, type PartitionAssigner } from 'kafkajs';
import { type KafkaClient, PATIENT } from './client.ts';
import { toKafkaError } from './errors.ts';
import { type Member, share } from './sticky.ts';
import type { FleetTopic } from './topics.ts';

const { AssignerProtocol } = kafkajs;

export interface MembershipOptions {
  readonly client: KafkaClient;
  readonly group: string;
  readonly topic: FleetTopic;
  /** Told of the partitions that this member has from now on. Must not wait. */
  readonly onAssigned: (partitions: readonly number[]) => void;
  /** Told when the group can't be kept any more: whoever joined ends, or joins again. */
  readonly onLost: (error: Error) => void;
}

const NAME = 'warden-sticky';
/** A member that says nothing for so long has lost its partitions. */
const SESSION_MS = 6000;
const HEARTBEAT_MS = 1000;
const REBALANCE_MS = 10_000;
const POLL_MS = 250;

/**
 * Membership in a group of which only the sharing out of partitions is wanted: the consumer is
 * paused and reads nothing. Who really owns a partition is settled by its transactional id.
 */
export class Membership {
  private readonly consumer: Consumer;
  private owned: readonly number[] = [];

  private constructor(options: MembershipOptions) {
    const { client, group } = options;
    this.consumer = client.kafka.consumer({
      groupId: client.named(group),
      partitionAssigners: [this.assigner()],
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_MS,
      maxWaitTimeInMs: POLL_MS,
      allowAutoTopicCreation: false,
      retry: { ...PATIENT, restartOnFailure: async () => true },
    });
  }

  static async join(options: MembershipOptions): Promise<Membership> {
    const { client, topic: name, onAssigned, onLost } = options;
    const membership = new Membership(options);
    const { consumer } = membership;
    const topic = client.topic(name);
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      consumer.pause([{ topic }]);
      membership.owned = payload.memberAssignment[topic] ?? [];
      onAssigned(membership.owned);
    });
    consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (!restart) onLost(toKafkaError(error, `group ${client.named(options.group)}`));
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic });
      // Until the pause holds, a batch may come: it is not looked at, and nothing is committed.
      const ignore = async () => undefined;
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: ignore });
    } catch (error) {
      await membership.leave();
      throw toKafkaError(error, `group ${client.named(options.group)}`);
    }
    return membership;
  }

  async leave(): Promise<void> {
    await this.consumer.disconnect().catch(() => undefined);
  }

  private assigner(): PartitionAssigner {
    return ({ cluster }) => ({
      name: NAME,
      version: 1,
      protocol: ({ topics }) => ({
        name: NAME,
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: 1,
          topics,
          userData: Buffer.from(this.owned.join(',')),
        }),
      }),
      assign: async ({ members, topics }) => {
        const [topic = ''] = topics;
        const partitions = cluster.findTopicPartitionMetadata(topic).length;
        const shares = share(members.map(memberOf), partitions);
        return [...shares].map(([memberId, own]) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: 1,
            assignment: { [topic]: own },
            userData: Buffer.alloc(0),
          }),
        }));
      },
    });
  }
}

function memberOf({
  memberId,
  memberMetadata,
}: {
  memberId: string;
  memberMetadata: Buffer;
}): Member {
  const said = AssignerProtocol.MemberMetadata.decode(memberMetadata);
  const text = said?.userData.toString() ?? '';
  return { id: memberId, owned: text === '' ? [] : text.split(',').map(Number) };
}
