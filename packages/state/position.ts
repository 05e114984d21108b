import { corrupt, type Database, rowCrc } from '#log';
import type { Position } from './port.ts';

/** Throws CORRUPT. */
export function readPosition(database: Database, source: string): bigint | null {
  const row = database.getBig('SELECT next, crc FROM position WHERE source = ?', source);
  if (row === undefined) return null;
  const [next, crc] = row;
  if (typeof next === 'bigint' && crc === BigInt(rowCrc(`${source}/${next}`))) return next;
  throw corrupt(database.file, `position ${JSON.stringify(source)}`);
}

/** Within a transaction. */
export function writePosition(database: Database, { source, next }: Position): void {
  const sql = 'INSERT OR REPLACE INTO position VALUES (?, ?, ?)';
  database.run(sql, source, next, rowCrc(`${source}/${next}`));
}

/** Reads every position: a damaged name would look like a reader that never began. */
export function checkPositions(database: Database): void {
  const [result] = database.get("PRAGMA quick_check('position')") ?? [];
  if (result !== 'ok') throw corrupt(database.file, `position: ${result}`);
  for (const [source] of database.all('SELECT source FROM position')) {
    readPosition(database, source as string);
  }
}
