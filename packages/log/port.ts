/**
 * The log: topics of records, read in order, never changed. Ports first; adapters beside them.
 *
 * A topic has partitions; a partition has dense, growing offsets from 0. Trimming moves `start`.
 */
export const TOPICS = [
  'bpf.events',
  'bpf.enriched',
  'bpf.signals',
  'bpf.tiers',
  'bpf.overrides',
  'bpf.external',
  'bpf.policy',
] as const;
export type Topic = (typeof TOPICS)[number];

export interface TopicPartition {
  readonly topic: Topic;
  readonly partition: number;
}

/** A record to append: `key` decides the partition together with `lane`. */
export interface Output {
  readonly topic: Topic;
  readonly lane: number;
  readonly key: string;
  readonly value: Uint8Array;
  /** Id of the event that it came of, where that is traced. A log of one's own forgets it. */
  readonly traced?: string;
}

/** A record as read. `appendedMs`: the log's own clock at the commit, ms since 1970. */
export interface LogRecord {
  readonly offset: number;
  readonly lane: number;
  readonly key: string;
  readonly value: Uint8Array;
  readonly appendedMs: number;
}

export interface ReadLimit {
  readonly records: number;
  readonly bytes: number;
}

export interface Log {
  /** Number of partitions of a topic; divides 64. */
  partitions(topic: Topic): Promise<number>;
  /**
   * Records from offset `from` on, in order, at most `limit`, but at least one when there is one.
   * Throws `LogError` `TRIMMED` when `from` lies before `start`.
   */
  read(source: TopicPartition, from: number, limit: ReadLimit): Promise<LogRecord[]>;
  /** Offset of the first record still there. */
  start(source: TopicPartition): Promise<number>;
  /** Offset that the next record will get. */
  end(source: TopicPartition): Promise<number>;
}

export const DEFAULT_LIMIT: ReadLimit = { records: 1000, bytes: 512 * 1024 };
