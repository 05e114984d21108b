import { LANES } from '#event';
import { LogError } from './errors.ts';
import { type Output, TOPICS, type TopicPartition } from './port.ts';

/** Bytes of a value, at most. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** Length of a key in UTF-16 code units, at most. */
export const MAX_KEY_LENGTH = 512;
/** Outputs of a commit, at most. */
export const MAX_OUTPUTS = 10_000;
/** Bytes of all values of a commit, at most. */
export const MAX_COMMIT_BYTES = 64 * 1024 * 1024;

/** Throws `LogError` TOO_LARGE. */
export function checkSize(what: string, size: number, max: number): void {
  if (size > max) throw new LogError('TOO_LARGE', `${what}: ${size}, above ${max}`);
}

/** Throws `LogError` BAD_REQUEST, TOO_LARGE. */
export function checkKey(lane: number, key: string): void {
  if (!Number.isInteger(lane) || lane < 0 || lane >= LANES) {
    throw new LogError('BAD_REQUEST', `lane ${lane}`);
  }
  checkSize('key length', key.length, MAX_KEY_LENGTH);
}

/** Throws `LogError` BAD_REQUEST, TOO_LARGE. Returns the bytes of all values. */
export function checkOutputs(outputs: readonly Output[]): number {
  checkSize('outputs of a commit', outputs.length, MAX_OUTPUTS);
  let bytes = 0;
  for (const { topic, lane, key, value } of outputs) {
    if (!TOPICS.includes(topic)) throw new LogError('BAD_REQUEST', `topic ${topic}`);
    checkKey(lane, key);
    checkSize('value bytes', value.length, MAX_VALUE_BYTES);
    bytes += value.length;
  }
  checkSize('bytes of a commit', bytes, MAX_COMMIT_BYTES);
  return bytes;
}

/** These adapters have one partition a topic. Throws `LogError` BAD_REQUEST. */
export function checkSource({ topic, partition }: TopicPartition): void {
  if (TOPICS.includes(topic) && partition === 0) return;
  throw new LogError('BAD_REQUEST', `partition ${partition} of topic ${topic}`);
}

/** Throws `LogError` BAD_REQUEST unless `value` is an integer from `min`. */
export function checkInteger(what: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return;
  throw new LogError('BAD_REQUEST', `${what} ${value}`);
}

/** Throws `LogError` TRIMMED or BEYOND_END unless a reader may stand at `from`. */
export function checkRange(from: number, range: { start: number; next: number }): void {
  if (from < range.start) throw new LogError('TRIMMED', `offset ${from}, start ${range.start}`);
  if (from > range.next) throw new LogError('BEYOND_END', `offset ${from}, end ${range.next}`);
}
