import type { Log, LogRecord, Output, Topic } from '#log';

/**
 * State beside the log: values by space, lane and key, changed only by `commit`, which also appends
 * outputs and moves positions. All of one commit becomes visible and durable together, or none.
 */
export interface StateChange {
  readonly space: Space;
  readonly lane: number;
  readonly key: string;
  /** null deletes. */
  readonly value: Uint8Array | null;
}

/**
 * trust: encoded trust state by principal · mark: high-water mark by host · due: principals by due
 * time · control: per-lane control state (policy) · object: BPF objects with owner and first sight
 * · lane: heads of the lanes that this host writes · counter: data-plane counters already stored ·
 * host: everything else a host remembers.
 */
export type Space = 'trust' | 'mark' | 'due' | 'control' | 'object' | 'lane' | 'counter' | 'host';

/** How far a reader has come: `source` names reader and stream, `next` the offset to go on from. */
export interface Position {
  readonly source: string;
  readonly next: bigint;
}

export interface Commit {
  readonly outputs: readonly Output[];
  readonly state: readonly StateChange[];
  readonly position: readonly Position[];
  /** Kept beside the log where that has a place for them; a log of one's own has them anyway. */
  readonly rejected?: readonly Rejected[];
}

/** A record that could not be folded, as it came, and why. */
export interface Rejected {
  readonly topic: Topic;
  readonly partition: number;
  readonly record: LogRecord;
  readonly code: string;
  readonly why: string;
}

export interface Committed {
  /** Offset of each output, in order. */
  readonly offsets: readonly number[];
  /** The `appendedMs` they got. */
  readonly appendedMs: number;
}

export interface Entry {
  readonly lane: number;
  readonly key: string;
  readonly value: Uint8Array;
}

/** A full copy of the fold's spaces at one offset of `bpf.events`. */
export interface Snapshot {
  readonly id: number;
  /** Next offset of `bpf.events` at the copy. */
  readonly next: number;
  readonly takenMs: number;
}

/** What a fold needs of a store, wherever it lies: one host's file, or the fleet's brokers. */
export interface FoldStore {
  readonly log: Log;
  commit(commit: Commit): Promise<Committed>;
  get(space: Space, lane: number, key: string): Promise<Uint8Array | null>;
  /** Values of many keys of one lane, null where absent, in the order asked. */
  getMany(space: Space, lane: number, keys: readonly string[]): Promise<(Uint8Array | null)[]>;
  /**
   * All entries of a space, ordered by lane, then key by code unit; at most `limit` after `after`.
   */
  scan(
    space: Space,
    options: { lane?: number; after?: { lane: number; key: string }; limit: number },
  ): Promise<Entry[]>;
  position(source: string): Promise<bigint | null>;
  /** Calls back after each commit by anybody in this process or, within 50 ms, another. */
  onCommit(listener: () => void): () => void;
  close(): Promise<void>;
}

/** A store that keeps all of it itself: snapshots, and a log that it trims behind them. */
export interface Store extends FoldStore {
  /**
   * Copies trust, mark, due and control as they are now; `next` is read from `source`'s position.
   */
  snapshot(source: string): Promise<Snapshot>;
  /** Oldest first. */
  snapshots(): Promise<Snapshot[]>;
  /** Entries of a snapshot, ordered as `scan`. */
  snapshotEntries(
    id: number,
    options: { after?: { space: Space; lane: number; key: string }; limit: number },
  ): Promise<(Entry & { readonly space: Space })[]>;
  /**
   * Deletes snapshots older than `keep` newest ones, the records of bpf.events before the oldest
   * snapshot left, and records of the other topics beyond `maxBytes` per topic, oldest first.
   * Returns what was deleted of the log. Never deletes bpf.events that no snapshot covers.
   */
  trim(options: {
    keepSnapshots: number;
    maxBytes: number;
  }): Promise<{ records: number; bytes: number }>;
  /** Bytes the store uses, and how many of them `trim` could give back without deleting more. */
  size(): Promise<{ bytes: number; freeBytes: number }>;
}
