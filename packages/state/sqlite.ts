import { setImmediate } from 'node:timers/promises';
import {
  CommitSignal,
  checkInteger,
  checkSize,
  Database,
  type Log,
  LogError,
  SqliteLog,
  TOPICS,
} from '#log';
import { StateTable } from './entries.ts';
import { checkCommit, checkPage, checkSpace, MAX_ENTRIES } from './limits.ts';
import type { Commit, Committed, Entry, Snapshot, Space, Store } from './port.ts';
import { checkPositions, readPosition, writePosition } from './position.ts';
import { Snapshots } from './snapshot.ts';

export interface SqliteStoreOptions {
  readonly readOnly?: boolean;
  /** ms since 1970. */
  readonly clock?: () => number;
  /** FULL: a commit also survives a power cut, for one fsync each. NORMAL by default. */
  readonly synchronous?: 'NORMAL' | 'FULL';
  /** Nobody else writes to the file while it is open: commits of others are not looked for. */
  readonly alone?: boolean;
}

/** Pages given back in one transaction. */
const VACUUM_PAGES = 256;

/**
 * A store in one SQLite file, made when missing. Calls block the thread for as long as SQLite
 * works; several threads and processes may each open the file. `snapshot` and `trim` belong to one
 * of them.
 *
 * Throws `LogError`: CORRUPT (see `setAside`), FOREIGN, NEWER, CANNOT_OPEN, READ_ONLY, FULL,
 * LOCKED, IO.
 */
export function openSqliteStore(file: string, options: SqliteStoreOptions = {}): Store {
  const database = new Database(file, options);
  try {
    return new SqliteStore(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

class SqliteStore implements Store {
  readonly log: Log;
  private readonly records: SqliteLog;
  private readonly database: Database;
  private readonly clock: () => number;
  private readonly table: StateTable;
  private readonly copies: Snapshots;
  private readonly signal: CommitSignal;
  private maintenance: Promise<unknown> = Promise.resolve();

  constructor(database: Database, { clock = Date.now, alone = false }: SqliteStoreOptions) {
    this.database = database;
    this.clock = clock;
    this.records = new SqliteLog(database);
    this.log = this.records;
    this.table = new StateTable(database);
    this.copies = new Snapshots(database);
    this.check();
    this.signal = new CommitSignal(database, { alone });
  }

  /**
   * Finds damage now rather than in the middle of a fold. Reads all of the state (about 2 µs an
   * entry), since rows that are gone can't be seen any other way; records of the log are checked
   * when read.
   */
  private check(): void {
    this.database.read(() => {
      this.records.checkEnds();
      this.table.check();
      checkPositions(this.database);
      this.copies.check();
    });
  }

  async commit(commit: Commit): Promise<Committed> {
    checkCommit(commit);
    const { outputs, state, position } = commit;
    const nowMs = Math.floor(this.clock());
    const committed = this.database.write(() => {
      const appended = this.records.append(outputs, nowMs);
      this.table.apply(state);
      for (const one of position) writePosition(this.database, one);
      return appended;
    });
    this.signal.committed();
    return committed;
  }

  async get(space: Space, lane: number, key: string): Promise<Uint8Array | null> {
    checkSpace(space);
    return this.table.get(space, lane, key);
  }

  async getMany(
    space: Space,
    lane: number,
    keys: readonly string[],
  ): Promise<(Uint8Array | null)[]> {
    checkSpace(space);
    checkSize('keys', keys.length, MAX_ENTRIES);
    return this.database.read(() => keys.map((key) => this.table.get(space, lane, key)));
  }

  async scan(
    space: Space,
    options: { lane?: number; after?: { lane: number; key: string }; limit: number },
  ): Promise<Entry[]> {
    checkPage(options.limit);
    return this.table.scan(space, options);
  }

  async position(source: string): Promise<bigint | null> {
    return readPosition(this.database, source);
  }

  async snapshot(source: string): Promise<Snapshot> {
    return this.alone(() => this.copies.take(source, Math.floor(this.clock())));
  }

  async snapshots(): Promise<Snapshot[]> {
    return this.copies.list();
  }

  async snapshotEntries(
    id: number,
    options: { after?: { space: Space; lane: number; key: string }; limit: number },
  ): Promise<(Entry & { readonly space: Space })[]> {
    checkPage(options.limit);
    return this.database.read(() => this.copies.entries(id, options));
  }

  async trim(options: {
    keepSnapshots: number;
    maxBytes: number;
  }): Promise<{ records: number; bytes: number }> {
    checkInteger('keepSnapshots', options.keepSnapshots, 1);
    checkInteger('maxBytes', options.maxBytes, 0);
    return this.alone(() => this.trimAll(options));
  }

  private async trimAll({
    keepSnapshots,
    maxBytes,
  }: {
    keepSnapshots: number;
    maxBytes: number;
  }): Promise<{ records: number; bytes: number }> {
    await this.copies.keep(keepSnapshots);
    const covered = this.copies.list()[0]?.next ?? 0;
    const total = { records: 0, bytes: 0 };
    for (const topic of TOPICS) {
      const limit =
        topic === 'bpf.events'
          ? { before: covered, maxBytes: -1 }
          : { before: Number.MAX_SAFE_INTEGER, maxBytes };
      for (;;) {
        const { records, bytes } = this.records.trimChunk(topic, limit);
        if (records === 0) break;
        total.records += records;
        total.bytes += bytes;
        await setImmediate();
      }
    }
    await this.giveBack();
    return total;
  }

  /** Returns free pages to the file system, a few in each transaction. */
  private async giveBack(): Promise<void> {
    const { database } = this;
    for (let free = database.pragma('freelist_count'); free > 0; ) {
      database.write(() => database.all(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`));
      const left = database.pragma('freelist_count');
      if (left >= free) break;
      free = left;
      await setImmediate();
    }
    database.all('PRAGMA wal_checkpoint(PASSIVE)');
  }

  async size(): Promise<{ bytes: number; freeBytes: number }> {
    return this.records.size();
  }

  onCommit(listener: () => void): () => void {
    return this.signal.listen(listener);
  }

  async close(): Promise<void> {
    await this.maintenance;
    this.signal.close();
    this.database.close();
  }

  /** Snapshots and trims one after another: each sweeps what looks left behind by a crash. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.database.readOnly) {
      throw new LogError('READ_ONLY', `${this.database.file} was opened to read`);
    }
    const result = this.maintenance.then(work);
    this.maintenance = result.catch(() => undefined);
    return result;
  }
}
