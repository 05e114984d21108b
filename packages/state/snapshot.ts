import { setImmediate } from 'node:timers/promises';
import { corrupt, Database, LogError, rowCrc, storedKey } from '#log';
import { type After, entryCrc, entryOf, StateTable } from './entries.ts';
import { SNAPSHOT_SPACES } from './limits.ts';
import type { Entry, Snapshot, Space } from './port.ts';
import { readPosition } from './position.ts';

/** Entries copied or deleted in one transaction, at most: a few ms, in which nobody else commits. */
const CHUNK = 1000;

/** Number of entries, and the exclusive or of their CRCs. */
interface Sum {
  entries: number;
  digest: number;
}

/**
 * Copies of the fold's state in the same file. A copy is made in many small transactions while others
 * commit; that it still is the state of one moment comes from a second connection, which keeps seeing
 * the file as it was. Until it is complete nobody sees it, and a crash leaves only rows to sweep.
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
    this.database.run('INSERT INTO snapshot VALUES (NULL, 0, ?, 0, 0, 0, 0)', takenMs);
    const [id] = this.database.get('SELECT last_insert_rowid()') as [number];
    return id;
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

  private complete({ id, next, takenMs }: Snapshot, { entries, digest }: Sum): void {
    const reserved = this.database.get('SELECT 1 FROM snapshot WHERE id = ?', id);
    if (reserved === undefined) {
      throw new LogError('BAD_REQUEST', `snapshot ${id} was swept while it was taken`);
    }
    const fields = [id, next, takenMs, 1, entries, digest];
    const sql = 'INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?, ?)';
    this.database.run(sql, ...fields, rowCrc(fields.join('/')));
  }

  /** Complete ones, oldest first. */
  list(): Snapshot[] {
    return this.rows().map(({ id, next, takenMs }) => ({ id, next, takenMs }));
  }

  private rows(): (Snapshot & Sum)[] {
    const rows = this.database.all('SELECT * FROM snapshot WHERE complete <> 0 ORDER BY id');
    return rows.map((row) => {
      const [id, next, takenMs, , entries, digest] = row;
      if (row.at(-1) === rowCrc(row.slice(0, -1).join('/'))) {
        return { id, next, takenMs, entries, digest } as Snapshot & Sum;
      }
      throw corrupt(this.database.file, `snapshot ${id}`);
    });
  }

  /** A page of a snapshot. With its first page all of it is read, to know that nothing is missing. */
  entries(
    id: number,
    { after, limit }: { after?: After & { readonly space: Space }; limit: number },
  ): (Entry & { readonly space: Space })[] {
    const snapshot = this.rows().find((row) => row.id === id);
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

  private checkSum({ id, entries, digest }: Snapshot & Sum): void {
    const found = { entries: 0, digest: 0 };
    const sql = 'SELECT crc FROM snapshot_entry WHERE snapshot = ?';
    this.database.each(sql, [id], ([crc]) => {
      add(found, crc as number);
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
    const rows = this.database.all('SELECT id FROM snapshot');
    const dropped = rows.map(([id]) => id as number).filter((id) => !kept.has(id));
    if (dropped.length > 0) {
      this.database.write(() => {
        for (const id of dropped) this.database.run('DELETE FROM snapshot WHERE id = ?', id);
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
