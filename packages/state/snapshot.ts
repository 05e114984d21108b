import { setImmediate } from 'node:timers/promises';
import { corrupt, Database, LogError, rowCrc, storedKey } from '#log';
import { type After, entryCrc, entryOf, StateTable } from './entries.ts';
import { SNAPSHOT_SPACES } from './limits.ts';
import type { Entry, Snapshot, Space } from './port.ts';
import { readPosition } from './position.ts';

/**
 * Entries copied or deleted in one transaction, at most: a few ms, in which nobody else commits.
 */
const CHUNK = 1000;

/** Number of entries, and the exclusive or of their CRCs. */
interface Sum {
  entries: number;
  digest: number;
}

interface SnapshotRow extends Snapshot, Sum {
  /** 0 while entries are copied. */
  readonly complete: number;
}

/**
 * Copies of the fold's state in the same file. A copy is made in many small transactions while
 * others commit; that it still is the state of one moment comes from a second connection, which
 * keeps seeing the file as it was. Until it is complete nobody sees it, and a crash leaves only
 * rows to sweep.
 */
export class Snapshots {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async take(source: string, takenMs: number): Promise<Snapshot> {
    const { database } = this;
    await this.keep(Number.MAX_SAFE_INTEGER);
    const id = database.write(() => this.reserve(takenMs));
    const reader = new Database(database.file, { readOnly: true });
    try {
      reader.pin();
      const next = Number(readPosition(reader, source) ?? 0n);
      const sum = { entries: 0, digest: 0 };
      for (const space of SNAPSHOT_SPACES) await this.copy(id, new StateTable(reader), space, sum);
      const snapshot = { id, next, takenMs };
      database.write(() => this.complete(snapshot, sum));
      return snapshot;
    } finally {
      reader.close();
    }
  }

  private reserve(takenMs: number): number {
    const sql = `SELECT max((SELECT coalesce(max(id), 0) FROM snapshot),
      (SELECT coalesce(max(snapshot), 0) FROM snapshot_entry))`;
    const [last] = this.database.get(sql) as [number];
    this.insertRow({ id: last + 1, next: 0, takenMs, complete: 0, entries: 0, digest: 0 });
    return last + 1;
  }

  private insertRow({ id, next, takenMs, complete, entries, digest }: SnapshotRow): void {
    const fields = [id, next, takenMs, complete, entries, digest];
    const sql = 'INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?)';
    this.database.run(sql, ...fields, rowCrc(fields.join('/')));
  }

  private async copy(id: number, from: StateTable, space: Space, sum: Sum): Promise<void> {
    let after: After | undefined;
    for (;;) {
      const page = from.scan(space, { limit: CHUNK, ...(after && { after }) });
      if (page.length === 0) return;
      this.database.write(() => {
        for (const entry of page) this.insert(id, space, entry, sum);
      });
      after = page.at(-1);
      await setImmediate();
    }
  }

  private insert(id: number, space: Space, { lane, key, value }: Entry, sum: Sum): void {
    const stored = storedKey(key);
    const crc = entryCrc(space, lane, stored, value);
    const sql = 'INSERT INTO snapshot_entry VALUES (?, ?, ?, ?, ?, ?)';
    this.database.run(sql, id, space, lane, stored, value, crc);
    add(sum, crc);
  }

  private complete(snapshot: Snapshot, sum: Sum): void {
    if (!this.rows().some(({ id }) => id === snapshot.id)) {
      throw new LogError('BAD_REQUEST', `snapshot ${snapshot.id} was swept while it was taken`);
    }
    this.insertRow({ ...snapshot, ...sum, complete: 1 });
  }

  /** Complete ones, oldest first. */
  list(): Snapshot[] {
    const rows = this.rows().filter(({ complete }) => complete === 1);
    return rows.map(({ id, next, takenMs }) => ({ id, next, takenMs }));
  }

  private rows(): SnapshotRow[] {
    return this.database.all('SELECT * FROM snapshot ORDER BY id').map((row) => {
      const [id, next, takenMs, complete, entries, digest] = row;
      if (row.at(-1) !== rowCrc(row.slice(0, -1).join('/'))) {
        throw corrupt(this.database.file, `snapshot ${id}`);
      }
      return { id, next, takenMs, complete, entries, digest } as SnapshotRow;
    });
  }

  check(): void {
    this.database.quickCheck('snapshot');
    this.rows();
  }

  /**
   * A page of a snapshot. With its first page all of it is read, to know that nothing is missing.
   */
  entries(
    id: number,
    { after, limit }: { after?: After & { readonly space: Space }; limit: number },
  ): (Entry & { readonly space: Space })[] {
    const snapshot = this.rows().find((row) => row.id === id && row.complete === 1);
    if (snapshot === undefined) throw new LogError('BAD_REQUEST', `snapshot ${id}`);
    if (after === undefined) this.checkSum(snapshot);
    const { space, lane, key } = after ?? { space: '', lane: 0, key: '' };
    const sql = `SELECT space, lane, key, value, crc FROM snapshot_entry
      WHERE snapshot = ? AND (space, lane, key) > (?, ?, ?) ORDER BY space, lane, key LIMIT ?`;
    const rows = this.database.all(sql, id, space, lane, storedKey(key), limit);
    return rows.map(([name, ...row]) => ({
      space: name as Space,
      ...entryOf(this.database, name, row),
    }));
  }

  private checkSum({ id, entries, digest }: SnapshotRow): void {
    const found = { entries: 0, digest: 0 };
    const sql = 'SELECT snapshot, crc FROM snapshot_entry WHERE snapshot = ?';
    this.database.each(sql, [id], ([snapshot, crc]) => {
      // SQLite finds the rows by their order, and does not look at each again.
      if (snapshot === id) add(found, crc as number);
      return true;
    });
    if (found.entries === entries && found.digest === digest) return;
    throw corrupt(this.database.file, `${found.entries} of ${entries} entries of snapshot ${id}`);
  }

  /** Deletes all but the `count` newest, and what a crash left of unfinished ones. */
  async keep(count: number): Promise<void> {
    const kept = new Set(
      this.list()
        .slice(-count)
        .map(({ id }) => id),
    );
    const dropped = this.rows().filter(({ id }) => !kept.has(id));
    if (dropped.length > 0) {
      this.database.write(() => {
        for (const { id } of dropped) this.database.run('DELETE FROM snapshot WHERE id = ?', id);
      });
    }
    for (const id of this.idsOfEntries()) {
      if (kept.has(id)) continue;
      while (this.deleteChunk(id)) await setImmediate();
    }
  }

  /** Ids that entries have, by one seek each. */
  private idsOfEntries(): number[] {
    const ids: number[] = [];
    const sql = 'SELECT min(snapshot) FROM snapshot_entry WHERE snapshot > ?';
    for (let last = -1; ; ) {
      const [id] = this.database.get(sql, last) ?? [];
      if (typeof id !== 'number') return ids;
      ids.push(id);
      last = id;
    }
  }

  private deleteChunk(id: number): boolean {
    const sql = `DELETE FROM snapshot_entry WHERE snapshot = ? AND (space, lane, key) IN
      (SELECT space, lane, key FROM snapshot_entry WHERE snapshot = ? LIMIT ?)`;
    return this.database.write(() => {
      this.database.run(sql, id, id, CHUNK);
      const [left] = this.database.get('SELECT changes()') as [number];
      return left > 0;
    });
  }
}

function add(sum: Sum, crc: number): void {
  sum.entries += 1;
  sum.digest = (sum.digest ^ crc) >>> 0;
}
