import { corrupt, type Database, type Row, rowCrc, storedKey } from '#log';
import type { Position } from './port.ts';

/** Throws CORRUPT. */
export function readPosition(database: Database, source: string): bigint | null {
  const sql = 'SELECT source, next, crc FROM position WHERE source = ?';
  const [row] = database.allBig(sql, storedKey(source));
  return row === undefined ? null : nextOf(database, row);
}

/** Within a transaction. */
export function writePosition(database: Database, { source, next }: Position): void {
  const sql = 'INSERT OR REPLACE INTO position VALUES (?, ?, ?)';
  const stored = storedKey(source);
  database.run(sql, stored, next, rowCrc(`${stored}/${next}`));
}

/**
 * Reads every position: a damaged name would look like a reader that never began. Throws CORRUPT.
 */
export function checkPositions(database: Database): void {
  database.quickCheck('position');
  for (const row of database.allBig('SELECT source, next, crc FROM position')) {
    nextOf(database, row);
  }
}

function nextOf(database: Database, [source, next, crc]: Row): bigint {
  if (typeof next === 'bigint' && crc === BigInt(rowCrc(`${source}/${next}`))) return next;
  throw corrupt(database.file, `position ${JSON.stringify(source)}`);
}
