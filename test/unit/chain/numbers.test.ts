import assert from 'node:assert/strict';
import test from 'node:test';
import { Checkpoints, Heartbeats } from '#chain';
import type { Checkpoint } from '#event';
import { checkpoint, heartbeat, NOW_MS, SIGNERS, stored } from './signers.ts';

const DAY_MS = 24 * 3_600_000;
const OTHER = 'ff'.repeat(8);

/** Checkpoint `number` of web-1, made a minute after the one before. */
function numbered(number: number, more: Partial<Checkpoint> = {}) {
  const made = { number, madeMs: NOW_MS + 60_000 * number };
  return stored('Checkpoint', checkpoint({ 0: number }, { ...made, ...more }));
}

function read(records: readonly ReturnType<typeof stored>[], wholeSinceMs = NOW_MS - 29 * DAY_MS) {
  const checkpoints = new Checkpoints({ ...SIGNERS, keptSinceMs: NOW_MS, wholeSinceMs });
  const found = records.map((record, offset) => checkpoints.add({ ...record, offset }));
  return { checkpoints, codes: found.map((finding) => finding?.code ?? 'good'), found };
}

/** What a host's heartbeats name, the last of them as given. */
function claims(...named: readonly Parameters<typeof heartbeat>[0][]) {
  const heartbeats = new Heartbeats(SIGNERS);
  for (const [n, more] of named.entries()) {
    heartbeats.add(stored('Heartbeat', heartbeat({ madeMs: NOW_MS + n, ...more })));
  }
  return heartbeats.claims();
}

const brief = (findings: readonly { readonly key: string; readonly detail: string }[]) =>
  findings.map(({ key, detail }) => `${key} ${detail}`);

test('checkpoints missing between others are named by number, and what is left counts', () => {
  const { checkpoints, codes, found } = read([numbered(1), numbered(2), numbered(6), numbered(7)]);
  assert.deepEqual(codes, ['good', 'good', 'SEQUENCE_GAP', 'good']);
  assert.match(found[2]?.detail ?? '', /web-1: checkpoints 3 to 5 are missing/);
  assert.equal(checkpoints.totals.good, 4);
});

test("both topics cut at their ends: the host's heartbeat names a checkpoint that is gone", () => {
  const { checkpoints } = read([numbered(1), numbered(2), numbered(3)]);
  assert.deepEqual(checkpoints.finish(claims({ checkpoint: 3 })), []);
  assert.deepEqual(brief(checkpoints.finish(claims({ checkpoint: 5 }))), [
    'web-1 TRUNCATED: web-1: it has sent checkpoint 5, the last one there is 3',
  ]);
  const empty = read([]).checkpoints.finish(claims({ checkpoint: 5 }));
  assert.deepEqual(brief(empty), [
    'web-1 TRUNCATED: web-1: it has sent checkpoint 5, none is there',
  ]);
  assert.deepEqual(read([]).checkpoints.finish(claims({ checkpoint: 0 })), []);
});

test('an old heartbeat sent again does not hide what a newer one has named', () => {
  const { checkpoints } = read([numbered(1)]);
  const named = claims({ checkpoint: 4 }, { checkpoint: 1, madeMs: NOW_MS - 60_000 });
  assert.equal(checkpoints.finish(named).length, 1);
});

test('what a heartbeat named so long ago that it may be gone is not missed', () => {
  const at = NOW_MS;
  const old = claims({ checkpoint: 9, madeMs: at });
  assert.deepEqual(read([], at).checkpoints.finish(old), []);
  assert.equal(read([], at - 1).checkpoints.finish(old).length, 1);
});

test('a host that was just started again names the last checkpoint of the boot before', () => {
  const { checkpoints } = read([numbered(1), numbered(2)]);
  const named = (checkpoint: number) => claims({ checkpoint, incarnation: OTHER });
  assert.deepEqual(checkpoints.finish(named(2)), []);
  assert.deepEqual(checkpoints.finish(named(1)), [], 'the fate of 2 was not known');
  assert.equal(checkpoints.finish(named(3)).length, 1);
});

test('the beginning deleted before its time, and in its time', () => {
  const five = (previousMs: number) => [numbered(5, { previousMs }), numbered(6)];
  const whole = NOW_MS - 29 * DAY_MS;
  assert.deepEqual(brief(read(five(whole + 1)).checkpoints.finish([])), [
    'web-1 TRUNCATED: web-1: begins with checkpoint 5, those before are gone before their time',
  ]);
  assert.deepEqual(read(five(whole)).checkpoints.finish([]), [], 'of a host that was off');
  assert.deepEqual(read([numbered(1)]).checkpoints.finish([]), []);
});

test('a new local log begins at 1 again, and is told; its own numbers hold', () => {
  const again = (number: number) => numbered(number, { incarnation: OTHER, madeMs: NOW_MS + 1e6 });
  const { checkpoints, codes } = read([numbered(1), numbered(2), again(1)]);
  assert.deepEqual(codes, ['good', 'good', 'good']);
  assert.deepEqual(checkpoints.restarts(), [
    { host: 'web-1', offset: 2, incarnation: OTHER, before: 2 },
  ]);
  const both = [{ checkpoint: 2 }, { checkpoint: 1, incarnation: OTHER }];
  assert.deepEqual(checkpoints.finish(claims(...both)), []);
  const short = claims({ checkpoint: 2, incarnation: OTHER });
  assert.match(checkpoints.finish(short)[0]?.detail ?? '', /sent checkpoint 2, .* there is 1/);
});

test('a new local log whose beginning was deleted is no replay of the one before', () => {
  const log = [1, 2, 3, 4, 5].map((number) => numbered(number));
  const next = numbered(3, { incarnation: OTHER, madeMs: NOW_MS + 1e7 });
  const { codes, found, checkpoints } = read([...log, next]);
  assert.deepEqual(codes.slice(4), ['good', 'SEQUENCE_GAP']);
  assert.match(found[5]?.detail ?? '', /checkpoints 1 to 2 are missing/);
  assert.equal(checkpoints.last()[0]?.number, 3);
});

test('an old life of a host sent again takes nothing from the one that goes on', () => {
  const old = numbered(1, { incarnation: OTHER, madeMs: NOW_MS - 1e9 });
  const { codes, checkpoints } = read([numbered(1), numbered(2), old, numbered(3), numbered(4)]);
  assert.deepEqual(codes, ['good', 'good', 'good', 'good', 'good']);
  assert.equal(checkpoints.restarts().length, 1);
  assert.deepEqual(checkpoints.finish(claims({ checkpoint: 4 })), []);
});

test('numbers and claims that are none are refused, signed or not', () => {
  for (const number of [0, -1]) assert.deepEqual(read([numbered(number)]).codes, ['BAD_RECORD']);
  assert.deepEqual(claims({ checkpoint: -1 }), []);
});
