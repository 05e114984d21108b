import { checkInteger, checkSize, type Log, LogError, MemoryLog, TOPICS } from '#log';
import type { After } from './entries.ts';
import { checkCommit, checkPage, checkSpace, MAX_ENTRIES, SNAPSHOT_SPACES } from './limits.ts';
import type { Commit, Committed, Entry, Snapshot, Space, Store } from './port.ts';
import { MemoryTable } from './table.ts';

type SpaceEntry = Entry & { readonly space: Space };

/** A store in memory, with the contract of the one in SQLite; for tests and for replays. */
export function openMemoryStore(options: { readonly clock?: () => number } = {}): Store {
  return new MemoryStore(options.clock ?? Date.now);
}

class MemoryStore implements Store {
  readonly log: Log;
  private readonly records = new MemoryLog();
  private readonly clock: () => number;
  private readonly table = new MemoryTable();
  private readonly positions = new Map<string, bigint>();
  private readonly copies = new Map<number, { snapshot: Snapshot; entries: SpaceEntry[] }>();
  private readonly listeners = new Set<() => void>();
  private lastId = 0;
  private closed = false;

  constructor(clock: () => number) {
    this.clock = clock;
    this.log = this.records;
  }

  async commit(commit: Commit): Promise<Committed> {
    this.assertOpen();
    checkCommit(commit);
    const committed = this.records.append(commit.outputs, Math.floor(this.clock()));
    for (const change of commit.state) this.table.apply(change);
    for (const { source, next } of commit.position) this.positions.set(source, next);
    for (const listener of this.listeners) {
      queueMicrotask(() => {
        if (this.listeners.has(listener)) listener();
      });
    }
    return committed;
  }

  async get(space: Space, lane: number, key: string): Promise<Uint8Array | null> {
    this.assertOpen();
    checkSpace(space);
    return this.table.get(space, lane, key);
  }

  async getMany(space: Space, lane: number, keys: readonly string[]) {
    this.assertOpen();
    checkSpace(space);
    checkSize('keys', keys.length, MAX_ENTRIES);
    return keys.map((key) => this.table.get(space, lane, key));
  }

  async scan(
    space: Space,
    options: { lane?: number; after?: After; limit: number },
  ): Promise<Entry[]> {
    this.assertOpen();
    checkSpace(space);
    checkPage(options.limit);
    return this.table.scan(space, options);
  }

  async position(source: string): Promise<bigint | null> {
    this.assertOpen();
    return this.positions.get(source) ?? null;
  }

  async snapshot(source: string): Promise<Snapshot> {
    this.assertOpen();
    this.lastId += 1;
    const next = Number(this.positions.get(source) ?? 0n);
    const snapshot = { id: this.lastId, next, takenMs: Math.floor(this.clock()) };
    const entries = SNAPSHOT_SPACES.flatMap((space) =>
      this.table
        .scan(space, { limit: Number.POSITIVE_INFINITY })
        .map((entry) => ({ space, ...entry })),
    );
    this.copies.set(snapshot.id, { snapshot, entries });
    return snapshot;
  }

  async snapshots(): Promise<Snapshot[]> {
    this.assertOpen();
    return [...this.copies.values()].map(({ snapshot }) => snapshot);
  }

  async snapshotEntries(
    id: number,
    { after, limit }: { after?: After & { readonly space: Space }; limit: number },
  ): Promise<SpaceEntry[]> {
    this.assertOpen();
    checkPage(limit);
    const copy = this.copies.get(id);
    if (copy === undefined) throw new LogError('BAD_REQUEST', `snapshot ${id}`);
    const behind = after ? copy.entries.filter((entry) => isBehind(entry, after)) : copy.entries;
    return behind
      .slice(0, limit)
      .map((entry) => ({ ...entry, value: Uint8Array.from(entry.value) }));
  }

  async trim({ keepSnapshots, maxBytes }: { keepSnapshots: number; maxBytes: number }) {
    this.assertOpen();
    checkInteger('keepSnapshots', keepSnapshots, 1);
    checkInteger('maxBytes', maxBytes, 0);
    for (const id of [...this.copies.keys()].slice(0, -keepSnapshots)) this.copies.delete(id);
    const covered = [...this.copies.values()][0]?.snapshot.next ?? 0;
    const total = { records: 0, bytes: 0 };
    for (const topic of TOPICS) {
      const limit =
        topic === 'bpf.events'
          ? { before: covered, maxBytes: -1 }
          : { before: Number.MAX_SAFE_INTEGER, maxBytes };
      const { records, bytes } = this.records.trim(topic, limit);
      total.records += records;
      total.bytes += bytes;
    }
    return total;
  }

  async size(): Promise<{ bytes: number; freeBytes: number }> {
    this.assertOpen();
    return { bytes: this.records.size() + this.table.size(), freeBytes: 0 };
  }

  onCommit(listener: () => void): () => void {
    this.assertOpen();
    // An object of its own: the same function may listen twice.
    const entry = () => listener();
    this.listeners.add(entry);
    return () => this.listeners.delete(entry);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.records.close();
    this.listeners.clear();
  }

  private assertOpen(): void {
    if (this.closed) throw new LogError('CLOSED', 'the store is closed');
  }
}

function isBehind(entry: SpaceEntry, after: After & { readonly space: Space }): boolean {
  if (entry.space !== after.space) return entry.space > after.space;
  return entry.lane === after.lane ? entry.key > after.key : entry.lane > after.lane;
}
