import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '../errors.ts';
import type { KafkaClient } from './client.ts';
import { toKafkaError, typeOf } from './errors.ts';
import { openCluster, type RawCluster, type RawPartition } from './raw.ts';
import type { FleetTopic } from './topics.ts';

export interface Place {
  readonly topic: FleetTopic;
  readonly partition: number;
}

export interface Asked extends Place {
  readonly from: number;
}

export type Isolation = 'committed' | 'uncommitted';

const LEVELS = { uncommitted: 0, committed: 1 } as const;
/** What a broker calls the ends of a partition. */
const TIMES = { start: '-2', end: '-1' } as const;
const ATTEMPTS = 60;
const DELAY_MAX_MS = 250;
/** Errors after which asking again cannot help. */
const FINAL = new Set<string | null>(['DENIED', 'NO_TOPIC', 'TRIMMED', 'TOO_LARGE', 'INTERNAL']);
/** A topic that was made a moment ago is not known everywhere yet. */
const NO_TOPIC_ATTEMPTS = 8;

/** Asks brokers for records and ends of partitions: one request after another. */
export class Fetcher {
  private readonly client: KafkaClient;
  private readonly isolation: Isolation;
  private cluster: RawCluster | null = null;
  private closed = false;

  constructor(client: KafkaClient, isolation: Isolation) {
    this.client = client;
    this.isolation = isolation;
  }

  async partitions(topic: FleetTopic): Promise<number> {
    return this.patiently(`partitions of ${topic}`, async (cluster) => {
      return (await this.metadata(cluster, topic)).length;
    });
  }

  async edge(place: Place, which: keyof typeof TIMES): Promise<number> {
    return this.patiently(`${which} of ${place.topic}`, async (cluster) => {
      const broker = await this.leader(cluster, place);
      const timestamp = TIMES[which];
      const { responses } = await broker.listOffsets({
        replicaId: -1,
        isolationLevel: LEVELS[this.isolation],
        topics: [
          {
            topic: this.client.topic(place.topic),
            partitions: [{ partition: place.partition, timestamp }],
          },
        ],
      });
      return Number(responses[0]?.partitions[0]?.offset);
    });
  }

  /**
   * Records from each place on, waiting up to `waitMs` for the first; partitions without news are
   * missing in the answer. All places of one leader travel in one request; others wait their turn.
   */
  async fetch(asked: readonly Asked[], limit: { bytes: number; waitMs: number }) {
    const what = `read ${[...new Set(asked.map(({ topic }) => topic))].join(', ')}`;
    return this.patiently(what, async (cluster) => {
      const leaders = new Map<number, Asked[]>();
      for (const one of asked) {
        const leader = await this.leaderId(cluster, one);
        leaders.set(leader, [...(leaders.get(leader) ?? []), one]);
      }
      const found: { place: Place; data: RawPartition }[] = [];
      const waitMs = leaders.size === 1 ? limit.waitMs : Math.ceil(limit.waitMs / leaders.size);
      for (const [nodeId, places] of leaders) {
        const request = { ...limit, waitMs: found.length > 0 ? 0 : waitMs };
        found.push(...(await this.fetchFrom(cluster, nodeId, places, request)));
      }
      return found;
    });
  }

  private async fetchFrom(
    cluster: RawCluster,
    nodeId: number,
    places: readonly Asked[],
    { bytes, waitMs }: { bytes: number; waitMs: number },
  ) {
    const broker = await cluster.findBroker({ nodeId });
    const byTopic = Map.groupBy(places, ({ topic }) => topic);
    const { responses } = await broker.fetch({
      replicaId: -1,
      isolationLevel: LEVELS[this.isolation],
      maxWaitTime: waitMs,
      minBytes: 1,
      maxBytes: bytes * places.length,
      topics: [...byTopic].map(([topic, list]) => ({
        topic: this.client.topic(topic),
        partitions: list.map(({ partition, from }) => ({
          partition,
          fetchOffset: `${from}`,
          maxBytes: bytes,
        })),
      })),
    });
    return responses.flatMap(({ topicName, partitions }) => {
      const topic = [...byTopic.keys()].find((name) => this.client.topic(name) === topicName);
      if (topic === undefined) return [];
      return partitions.map((data) => ({ place: { topic, partition: data.partition }, data }));
    });
  }

  /** The offset that a group has committed, null where it has none. */
  async committed(group: string, place: Place): Promise<number | null> {
    return this.patiently(`offset of ${group}`, async (cluster) => {
      const coordinator = await cluster.findGroupCoordinator({ groupId: this.client.named(group) });
      const { responses } = await coordinator.offsetFetch({
        groupId: this.client.named(group),
        topics: [
          {
            topic: this.client.topic(place.topic),
            partitions: [{ partition: place.partition }],
          },
        ],
      });
      const offset = Number(responses[0]?.partitions[0]?.offset ?? -1);
      return offset < 0 ? null : offset;
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.cluster?.disconnect();
  }

  private async metadata(cluster: RawCluster, topic: FleetTopic) {
    const name = this.client.topic(topic);
    await cluster.addTargetTopic(name);
    await cluster.refreshMetadataIfNecessary();
    const found = cluster.findTopicPartitionMetadata(name);
    if (found.length === 0) {
      throw new LogError('NO_TOPIC', `kafka: ${name} is not there: ./warden topics apply`);
    }
    return found;
  }

  private async leaderId(cluster: RawCluster, { topic, partition }: Place): Promise<number> {
    const found = await this.metadata(cluster, topic);
    const one = found.find(({ partitionId }) => partitionId === partition);
    if (one !== undefined) return one.leader;
    throw new LogError('BAD_REQUEST', `partition ${partition} of topic ${topic}`);
  }

  private async leader(cluster: RawCluster, place: Place) {
    return cluster.findBroker({ nodeId: await this.leaderId(cluster, place) });
  }

  /** Tries again, with other leaders and connections, until it cannot help. */
  private async patiently<T>(what: string, work: (cluster: RawCluster) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.closed) throw new LogError('CLOSED', 'the log is closed');
      try {
        return await work(await this.connected());
      } catch (error) {
        const failed = toKafkaError(error, what);
        const patience = failed.code === 'NO_TOPIC' ? NO_TOPIC_ATTEMPTS : ATTEMPTS;
        const isFinal = FINAL.has(failed.code) && failed.code !== 'NO_TOPIC';
        if (isFinal || failed.code === 'BAD_REQUEST' || attempt >= patience) throw failed;
        await this.recover(error);
        await sleep(Math.min(DELAY_MAX_MS, 5 * 2 ** attempt));
      }
    }
  }

  private async connected(): Promise<RawCluster> {
    this.cluster ??= openCluster(this.client.config);
    if (!this.cluster.isConnected()) await this.cluster.connect();
    return this.cluster;
  }

  /** Old leaders and broken connections are forgotten. */
  private async recover(error: unknown): Promise<void> {
    const { cluster } = this;
    if (cluster === null) return;
    try {
      if (typeOf(error) === null) throw error;
      await cluster.refreshMetadata();
    } catch {
      this.cluster = null;
      await cluster.disconnect().catch(() => undefined);
    }
  }
}
