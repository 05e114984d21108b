import {
  checkInteger,
  checkKey,
  checkOutputs,
  checkSize,
  LogError,
  MAX_COMMIT_BYTES,
  MAX_KEY_LENGTH,
  MAX_VALUE_BYTES,
} from '#log';
import type { Commit, Space } from './port.ts';

/** State changes of a commit, at most. */
export const MAX_CHANGES = 100_000;
/** Positions of a commit, at most. */
export const MAX_POSITIONS = 1000;
/** Entries of a page and keys of a `getMany`, at most. */
export const MAX_ENTRIES = 100_000;

const MAX_POSITION = 2n ** 63n - 1n;

/** All that state is kept in. */
export const SPACES: readonly Space[] = [
  'trust',
  'mark',
  'due',
  'control',
  'object',
  'lane',
  'counter',
  'host',
];

/** What a snapshot copies: the state of the fold. */
export const SNAPSHOT_SPACES: readonly Space[] = ['control', 'due', 'mark', 'trust'];

/** Throws `LogError` BAD_REQUEST. */
export function checkSpace(space: Space): void {
  if (!SPACES.includes(space)) throw new LogError('BAD_REQUEST', `space ${space}`);
}

/** Throws `LogError` BAD_REQUEST, TOO_LARGE. Nothing of a refused commit is tried. */
export function checkCommit({ outputs, state, position }: Commit): void {
  let bytes = checkOutputs(outputs);
  checkSize('state changes of a commit', state.length, MAX_CHANGES);
  for (const { space, lane, key, value } of state) {
    checkSpace(space);
    checkKey(lane, key);
    checkSize('value bytes', value?.length ?? 0, MAX_VALUE_BYTES);
    bytes += value?.length ?? 0;
  }
  checkSize('bytes of a commit', bytes, MAX_COMMIT_BYTES);
  checkSize('positions of a commit', position.length, MAX_POSITIONS);
  for (const { source, next } of position) {
    checkSize('source length', source.length, MAX_KEY_LENGTH);
    if (next < 0n || next > MAX_POSITION) throw new LogError('BAD_REQUEST', `position ${next}`);
  }
}

/** Throws `LogError` BAD_REQUEST, TOO_LARGE. */
export function checkPage(limit: number): void {
  checkInteger('limit', limit, 1);
  checkSize('limit', limit, MAX_ENTRIES);
}
