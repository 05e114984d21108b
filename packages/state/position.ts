import { corrupt, type Database, keyOfStored, rowCrc, storedKey } from '#log';
import type { Position } from './port.ts';

/** Throws CORRUPT. */
export function readPosition(database: Database, source: string): bigint | null {
  const stored = storedKey(source);
  const row = database.getBig('SELECT next, crc FROM position WHERE source = ?', stored);
  if (row === undefined) return null;
  const [next, crc] = row;
  if (typeof next === 'bigint' && crc === BigInt(rowCrc(`${stored}/${next}`))) return next;
  throw corrupt(database.file, `position ${JSON.stringify(source)}`);
}

/** Within a transaction. */
export function writePosition(database: Database, { source, next }: Position): void {
  const sql = 'INSERT OR REPLACE INTO position VALUES (?, ?, ?)';
  const stored = storedKey(source);
  database.run(sql, stored, next, rowCrc(`${stored}/${next}`));
}

/** Reads every position: a damaged name would look like a reader that never began. */
export function checkPositions(database: Database): void {
  const [result] = database.get("PRAGMA quick_check('position')") ?? [];
  if (result !== 'ok') throw corrupt(database.file, `position: ${result}`);
  for (const [source] of database.all('SELECT source FROM position')) {
    readPosition(database, keyOfStored(source as string));
  }
}
