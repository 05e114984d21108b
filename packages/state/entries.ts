import { LANES } from '#event';
import { corrupt, type Database, keyOfStored, type Row, rowCrc, storedKey } from '#log';
import { checkSpace } from './limits.ts';
import type { Entry, Space, StateChange } from './port.ts';

/** Sorts behind every stored key: those reach U+E0FF. */
const BEHIND_ALL = '\uffff';

export type After = { readonly lane: number; readonly key: string };

/** Rows of the state table, by space, lane and key. */
export class StateTable {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  get(space: Space, lane: number, key: string): Uint8Array | null {
    const stored = storedKey(key);
    const sql = 'SELECT value, crc FROM state WHERE space = ? AND lane = ? AND key = ?';
    const row = this.database.get(sql, space, lane, stored);
    if (row === undefined) return null;
    const [value, crc] = row;
    return checked(this.database, [space, lane, stored], value, crc);
  }

  /** Entries behind `after`, in order; only those of `lane` when it is given. */
  scan(
    space: Space,
    { lane, after, limit }: { lane?: number; after?: After; limit: number },
  ): Entry[] {
    checkSpace(space);
    const first: After = { lane: (lane ?? 0) - 1, key: BEHIND_ALL };
    const { lane: atLane, key } = after ? later(first, after) : first;
    const sql = `SELECT lane, key, value, crc FROM state
      WHERE space = ? AND (lane, key) > (?, ?) AND lane <= ? ORDER BY lane, key LIMIT ?`;
    const rows = this.database.all(sql, space, atLane, key, lane ?? LANES - 1, limit);
    return rows.map((row) => entryOf(this.database, space, row));
  }

  /** Within a transaction. */
  apply(changes: readonly StateChange[]): void {
    for (const { space, lane, key, value } of changes) {
      const stored = storedKey(key);
      if (value === null) {
        const sql = 'DELETE FROM state WHERE space = ? AND lane = ? AND key = ?';
        this.database.run(sql, space, lane, stored);
      } else {
        const crc = entryCrc(space, lane, stored, value);
        const sql = 'INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?)';
        this.database.run(sql, space, lane, stored, value, crc);
      }
    }
  }

  /**
   * Reads every row: a damaged key would otherwise look like an absent one, and an absent principal
   * is a new one with the default trust. Throws CORRUPT.
   */
  check(): void {
    this.database.quickCheck('state');
    this.database.each('SELECT space, lane, key, value, crc FROM state', [], ([space, ...row]) => {
      entryOf(this.database, space, row);
      return true;
    });
  }
}

function later(first: After, { lane, key }: After): After {
  return lane > first.lane ? { lane, key: storedKey(key) } : first;
}

export function entryCrc(space: unknown, lane: unknown, key: unknown, value: Uint8Array): number {
  return rowCrc(`${space}/${lane}/${key}`, value);
}

/** An entry from its row (lane, key, value, CRC). Throws CORRUPT. */
export function entryOf(database: Database, space: unknown, row: Row): Entry {
  const [lane, key, value, crc] = row;
  const bytes = checked(database, [space, lane, key], value, crc);
  return { lane: lane as number, key: keyOfStored(key as string), value: bytes };
}

function checked(
  database: Database,
  [space, lane, key]: readonly [unknown, unknown, unknown],
  value: unknown,
  crc: unknown,
): Uint8Array {
  if (value instanceof Uint8Array && crc === entryCrc(space, lane, key, value)) return value;
  throw corrupt(database.file, `state ${space}/${lane}/${JSON.stringify(key)}`);
}
