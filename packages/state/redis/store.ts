import { LANES, safeText, traceparent } from '#event';
import { checkSize, LogError, TOPICS, type Topic } from '#log';
import {
  type GroupOffset,
  type KafkaClient,
  KafkaLog,
  type Outgoing,
  partitionOf,
  TransactionalWriter,
} from '#log/kafka';
import { checkCommit, checkPage, checkSpace, MAX_ENTRIES } from '../limits.ts';
import type {
  Commit,
  Committed,
  Entry,
  FoldStore,
  Position,
  Rejected,
  Space,
  StateChange,
} from '../port.ts';
import { changelogKey } from './keys.ts';
import { PartitionState, type PartitionStateOptions } from './partition-state.ts';
import type { RedisView } from './view.ts';

export interface FleetStoreOptions {
  readonly client: KafkaClient;
  readonly view: RedisView;
  readonly partition: number;
  /** Who owns the partition: its transactional id is this name and the partition's number. */
  readonly owner: string;
  readonly onView: PartitionStateOptions['onView'];
  readonly now: () => number;
}

/** Name of a reader's position: group, topic, partition. */
const SOURCE = /^([a-z][a-z0-9-]{0,63})\/(bpf\.[a-z]+)\/(\d{1,2})$/;
const POSITION = 'position' as Space;
/** Of a rejected record: bytes kept, and length of the reason. */
const REJECTED_BYTES = 256 * 1024;
const REASON_MAX = 500;

/**
 * A partition of the fleet as its one owner has it. Opening it fences the owner before. A commit is
 * one transaction of Kafka: outputs, changelog and positions; Redis follows, and nothing waits for
 * it. After an error of `commit` the store is dead: whoever owned it opens another.
 */
export class FleetStore implements FoldStore {
  readonly log: KafkaLog;
  private readonly options: FleetStoreOptions;
  private readonly writer: TransactionalWriter;
  private readonly state: PartitionState;
  private readonly positions = new Map<string, bigint>();
  private readonly listeners = new Set<() => void>();
  private readonly lanes: readonly number[];
  private closed = false;

  private constructor(
    options: FleetStoreOptions,
    parts: {
      log: KafkaLog;
      writer: TransactionalWriter;
      state: PartitionState;
      lanes: readonly number[];
    },
  ) {
    this.options = options;
    this.log = parts.log;
    this.writer = parts.writer;
    this.state = parts.state;
    this.lanes = parts.lanes;
  }

  /** FENCING, then RESTORING: resolves when the partition is this one's alone and up to date. */
  static async open(options: FleetStoreOptions): Promise<FleetStore> {
    const { client, view, partition, owner, onView, now } = options;
    const writer = await TransactionalWriter.open(client, `${owner}-${partition}`);
    const log = new KafkaLog(client);
    try {
      const partitions = await log.partitions('bpf.trust');
      const lanes = Array.from({ length: LANES }, (_, lane) => lane).filter(
        (lane) => partitionOf(lane, partitions) === partition,
      );
      const state = await PartitionState.restore({ log, view, partition, lanes, now, onView });
      return new FleetStore(options, { log, writer, state, lanes });
    } catch (error) {
      await Promise.all([writer.close(), log.close()]);
      throw error;
    }
  }

  /** A transaction was given up: open another store. */
  get isDead(): boolean {
    return this.writer.isDead;
  }

  async commit(commit: Commit): Promise<Committed> {
    this.assertOpen();
    checkCommit(commit);
    await this.state.tend();
    const { outputs, position } = commit;
    const changes = [...commit.state, ...this.ownPositions(position)];
    const sent = await this.outgoing(outputs);
    const rejected = (commit.rejected ?? []).map(rejectedOutgoing);
    const records = [...sent, ...rejected, ...changes.map((change) => this.change(change))];
    if (records.length > 0 || position.length > 0) {
      const offsets = position.flatMap((one) => groupOffset(one) ?? []);
      const done = await this.writer.commit(records, offsets);
      const last = done.offsets.at(-1) ?? -1;
      if (changes.length > 0) this.state.apply(changes, last + 1);
      for (const { source, next } of position) this.positions.set(source, next);
      this.tell();
      const appendedMs = done.appendedMs ?? Math.floor(this.options.now());
      return { offsets: done.offsets.slice(0, outputs.length), appendedMs };
    }
    return { offsets: [], appendedMs: Math.floor(this.options.now()) };
  }

  private async outgoing(outputs: Commit['outputs']): Promise<Outgoing[]> {
    const counts = new Map<Topic, number>();
    for (const { topic } of outputs) {
      if (!counts.has(topic)) counts.set(topic, await this.log.partitions(topic));
    }
    return outputs.map(({ traced, ...output }) => {
      const partition = partitionOf(output.lane, counts.get(output.topic) as number);
      if (traced === undefined) return { ...output, partition };
      return { ...output, partition, headers: { traceparent: traceparent(traced, 'fold') } };
    });
  }

  private change({ space, lane, key, value }: StateChange): Outgoing {
    const { partition } = this.options;
    return {
      topic: 'bpf.trust',
      partition,
      lane,
      key: changelogKey(space, lane, key),
      value,
    };
  }

  /** Positions that are no offsets of a group live in the changelog like any state. */
  private ownPositions(position: readonly Position[]): StateChange[] {
    return position
      .filter((one) => groupOffset(one) === null)
      .map(({ source, next }) => ({
        space: POSITION,
        lane: this.lanes[0] ?? 0,
        key: source,
        value: Buffer.from(`${next}`),
      }));
  }

  async position(source: string): Promise<bigint | null> {
    this.assertOpen();
    const known = this.positions.get(source);
    if (known !== undefined) return known;
    const offset = groupOffset({ source, next: 0n });
    if (offset !== null) {
      const next = await this.log.committed(offset.group, offset);
      return next === null ? null : BigInt(next);
    }
    const [value] = await this.state.getMany(POSITION, this.lanes[0] ?? 0, [source]);
    return value == null ? null : BigInt(Buffer.from(value).toString());
  }

  async get(space: Space, lane: number, key: string): Promise<Uint8Array | null> {
    const [value = null] = await this.getMany(space, lane, [key]);
    return value;
  }

  async getMany(space: Space, lane: number, keys: readonly string[]) {
    this.assertOpen();
    checkSpace(space);
    checkSize('keys', keys.length, MAX_ENTRIES);
    if (!this.lanes.includes(lane)) return keys.map(() => null);
    return keys.length === 0 ? [] : this.state.getMany(space, lane, keys);
  }

  async scan(
    space: Space,
    options: { lane?: number; after?: { lane: number; key: string }; limit: number },
  ): Promise<Entry[]> {
    this.assertOpen();
    checkSpace(space);
    checkPage(options.limit);
    const { lane } = options;
    if (lane !== undefined && !this.lanes.includes(lane)) return [];
    return this.state.scan(space, options);
  }

  onCommit(listener: () => void): () => void {
    this.assertOpen();
    const entry = () => listener();
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  private tell(): void {
    for (const listener of this.listeners) {
      queueMicrotask(() => {
        if (this.listeners.has(listener)) listener();
      });
    }
  }

  /** For whoever has nothing to commit: notices what Redis has lost. */
  async tend(): Promise<void> {
    this.assertOpen();
    await this.state.tend();
  }

  /** Until Redis has what was committed or has refused it, for whoever ends. */
  async flushed(): Promise<void> {
    await this.state.flushed();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.listeners.clear();
    await Promise.all([this.state.close(), this.writer.close(), this.log.close()]);
  }

  private assertOpen(): void {
    if (this.closed) throw new LogError('CLOSED', 'the store is closed');
  }
}

/** The record's own bytes, cut where it is longer than a broker takes; headers say the rest. */
function rejectedOutgoing({ topic, partition, record, code, why }: Rejected): Outgoing {
  const { lane, key, value, offset } = record;
  const headers = {
    topic,
    partition: `${partition}`,
    offset: `${offset}`,
    code,
    reason: safeText(why).slice(0, REASON_MAX),
    bytes: `${value.length}`,
  };
  const kept = value.subarray(0, REJECTED_BYTES);
  return { topic: 'bpf.dlq', partition: 0, lane, key, value: kept, headers };
}

function groupOffset({ source, next }: Position): GroupOffset | null {
  const [, group, topic, partition] = SOURCE.exec(source) ?? [];
  if (group === undefined || !TOPICS.includes(topic as Topic)) return null;
  return { group, topic: topic as Topic, partition: Number(partition), next: Number(next) };
}
