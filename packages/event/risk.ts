import { EventError } from './errors.ts';
import { principalKey } from './ids.ts';
import type { External } from './operator.ts';

const TEXT_MAX = 128;
const KEYS = ['id', 'source', 'principal', 'share', 'reason'] as const;

function text(table: Readonly<Record<string, unknown>>, key: string): string {
  const value = table[key];
  if (typeof value === 'string' && value.trim() !== '' && value.length <= TEXT_MAX) return value;
  const found = value === undefined ? 'is missing' : 'is not valid';
  throw new EventError('BAD_VALUE', `${key} ${found}: expected a text of up to ${TEXT_MAX}`);
}

function permille(share: unknown): number {
  const value = typeof share === 'number' ? Math.round(share * 1000) : Number.NaN;
  if (value >= 1 && value <= 1000) return value;
  const found = share === undefined ? 'share is missing' : `share ${JSON.stringify(share)}`;
  throw new EventError('BAD_VALUE', `${found}: expected a number from 0.001 to 1`);
}

/**
 * A report of another system as JSON: `{"id", "source", "principal", "share", "reason"}`, where
 * share is how much of S18's weight counts. Throws `EventError` BAD_VALUE or BAD_ID.
 */
export function riskOf(value: unknown, timeMs: number): Omit<External, 'mac'> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new EventError('BAD_VALUE', 'expected a JSON object');
  }
  const table = value as Readonly<Record<string, unknown>>;
  const other = Object.keys(table).find((key) => !(KEYS as readonly string[]).includes(key));
  if (other !== undefined) {
    const known = KEYS.join(', ');
    throw new EventError('BAD_VALUE', `unknown key ${JSON.stringify(other)}: expected ${known}`);
  }
  return {
    id: text(table, 'id'),
    source: text(table, 'source'),
    principal: principalKey(text(table, 'principal')),
    permille: permille(table.share),
    reason: text(table, 'reason'),
    timeMs,
  };
}
