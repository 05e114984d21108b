import { keyOfStored, storedKey } from '#log';
import type { Space } from '../port.ts';

/** A lane's hash: a field per principal, and `#`. The braces put all of a lane on one node. */
export function hashKey(prefix: string, lane: number): string {
  return `${prefix}trust:{L${lane}}`;
}

/** A lane's timers in the order of their time. */
export function timersKey(prefix: string, lane: number): string {
  return `${prefix}due:{L${lane}}`;
}

/** Next changelog offset, and when it was written (ms since 1970). */
export const MARK = '#';
export const MARKED_MS = '@';

/** Field of an entry: a principal's trust has its key for a name, other spaces name themselves. */
export function fieldOf(space: Space, key: string): string {
  const stored = storedKey(key);
  return space === 'trust' && !/^[#@\0]/.test(stored) ? stored : `\0${space}\0${stored}`;
}

/** Inverse of `fieldOf`; null for a mark. */
export function entryOf(field: string): { space: Space; key: string } | null {
  if (field === MARK || field === MARKED_MS) return null;
  if (!field.startsWith('\0')) return { space: 'trust', key: keyOfStored(field) };
  const end = field.indexOf('\0', 1);
  return { space: field.slice(1, end) as Space, key: keyOfStored(field.slice(end + 1)) };
}

/** Key of an entry in the changelog: `trust/17/uid:10001@corp`, `mark/17/web-1/7d3f…`. */
export function changelogKey(space: Space, lane: number, key: string): string {
  return `${space}/${lane}/${key}`;
}

/** Inverse of `changelogKey`. */
export function parseChangelogKey(text: string): { space: Space; lane: number; key: string } {
  const first = text.indexOf('/');
  const second = text.indexOf('/', first + 1);
  return {
    space: text.slice(0, first) as Space,
    lane: Number(text.slice(first + 1, second)),
    key: text.slice(second + 1),
  };
}
