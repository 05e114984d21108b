import assert from 'node:assert/strict';
import { LogError, type LogErrorCode, type Output } from '#log';
import type { Commit, FoldStore, Space, StateChange, Store } from '#state';

export interface Opened {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

export interface OpenedFold {
  readonly store: FoldStore;
  readonly close: () => Promise<void>;
}

/** Opens a new, empty store whose clock is its own. */
export type OpenFoldStore = () => Promise<OpenedFold>;

/** Opens a new, empty store with the given clock. */
export type OpenStore = (clock: () => number) => Promise<Opened>;

export const EVENTS = { topic: 'bpf.events', partition: 0 } as const;
export const ALL = { records: 10_000, bytes: 64 * 1024 * 1024 };

/**
 * Keys that break naive ordering, naive storage or naive objects. In order of UTF-16 code units.
 */
export const HOSTILE_KEYS = [
  '',
  '\0',
  '\0\0',
  "'; DROP TABLE state; --",
  '/',
  '__proto__',
  'a',
  'a\0b',
  'aa',
  'constructor',
  'é',
  '\ud7ff',
  '\ud800',
  '\ud800a',
  '😀',
  '\udc00',
  '\ue000',
  '\ue0d8\ue000',
  '\ufffd',
  '\uffff',
];

export function commitOf(parts: Partial<Commit>): Commit {
  return { outputs: [], state: [], position: [], ...parts };
}

export function output(text: string, options: Partial<Output> = {}): Output {
  return { topic: 'bpf.events', lane: 0, key: 'k', value: Buffer.from(text), ...options };
}

export function change(
  key: string,
  text: string | null,
  space: Space = 'trust',
  lane = 0,
): StateChange {
  return { space, lane, key, value: text === null ? null : Buffer.from(text) };
}

export async function refused(work: Promise<unknown>, code: LogErrorCode): Promise<LogError> {
  const error = await work.then(
    () => assert.fail(`${code} expected`),
    (reason) => reason,
  );
  assert.ok(error instanceof LogError, String(error));
  assert.equal(error.code, code);
  return error;
}

export function text(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString();
}

/** Waits until the last of what was committed can be read: brokers need a moment for that. */
export async function readable({ log }: FoldStore, offset: number): Promise<void> {
  while ((await log.end(EVENTS)) <= offset) await new Promise((done) => setTimeout(done, 1));
}
