import assert from 'node:assert/strict';
import test from 'node:test';
import { Checkpoints, chainKey, Verifier } from '#chain';
import type { Checkpoint } from '#event';
import { Random } from '../../contract/random.ts';
import { buildLog, type Sealed, Writers } from './lanes.ts';
import { checkpoint, INCARNATION, NOW_MS, SIGNERS, stored } from './signers.ts';

const SINCE_MS = NOW_MS - 1000;
const WHOLE_MS = NOW_MS - 29 * 24 * 3_600_000;

function read(records: readonly ReturnType<typeof stored>[]) {
  const checkpoints = new Checkpoints({
    ...SIGNERS,
    keptSinceMs: SINCE_MS,
    wholeSinceMs: WHOLE_MS,
  });
  const found = records.map((record, offset) => checkpoints.add({ ...record, offset }));
  return { checkpoints, codes: found.map((finding) => finding?.code ?? 'good'), found };
}

const at = (lanes: Record<number, number>, madeMs: number, more: Partial<Checkpoint> = {}) =>
  stored('Checkpoint', checkpoint(lanes, { madeMs, ...more }));
const chain = (lane: number) => chainKey({ host: 'web-1', incarnation: INCARNATION, lane });

test('the last of each lane counts, and what must be there since the first young one', () => {
  const { checkpoints, codes } = read([
    at({ 0: 3 }, NOW_MS - 5000),
    at({ 0: 4, 2: 1 }, NOW_MS, { number: 2 }),
    at({ 0: 9, 2: 1, 5: 2 }, NOW_MS + 60_000, { number: 3 }),
  ]);
  assert.deepEqual(codes, ['good', 'good', 'good']);
  const heads = [...checkpoints.heads()].map(([key, { sequence, due }]) => [key, sequence, due]);
  assert.deepEqual(heads, [
    [chain(0), 9, 4],
    [chain(2), 1, 1],
    [chain(5), 2, 0],
  ]);
  assert.ok(checkpoints.hasSigned('web-1') && !checkpoints.hasSigned('web-2'));
});

test('an old checkpoint that is sent again is named, and changes nothing', () => {
  const first = at({ 0: 3, 1: 1 }, NOW_MS);
  const second = at({ 0: 4, 1: 1 }, NOW_MS + 1, { number: 2 });
  const { checkpoints, codes, found } = read([first, second, first, second]);
  assert.deepEqual(codes, ['good', 'good', 'REPLAYED', 'REPLAYED']);
  assert.match(found[2]?.detail ?? '', /web-1: number 1, behind 2: an old one, sent again/);
  assert.match(found[3]?.detail ?? '', /web-1: the same once more/);
  assert.equal(checkpoints.heads().get(chain(0))?.sequence, 4);
  assert.deepEqual(checkpoints.totals, { records: 4, good: 2, bad: 2 });
});

test('a retry whose fate was unknown has the number once more, and is equal or further', () => {
  const { checkpoints, codes } = read([
    at({ 0: 3 }, NOW_MS),
    at({ 0: 3 }, NOW_MS + 1),
    at({ 0: 5 }, NOW_MS + 2),
    at({ 0: 4 }, NOW_MS + 3),
    at({ 0: 6 }, NOW_MS + 4, { number: 2, incarnation: 'ff'.repeat(8) }),
  ]);
  assert.deepEqual(codes, ['good', 'good', 'good', 'REPLAYED', 'good']);
  assert.deepEqual([checkpoints.finish([]), checkpoints.restarts()], [[], []]);
  assert.equal(checkpoints.last()[0]?.number, 2);
});

test('a host that signs two histories has made a fork', () => {
  const heads = [{ lane: 0, sequence: 3, hash: Buffer.alloc(32, 99) }];
  const other = at({}, NOW_MS + 1, { heads, number: 2 });
  const { codes, found } = read([
    at({ 0: 3 }, NOW_MS),
    other,
    at({ 0: 2 }, NOW_MS + 2, { number: 3 }),
    at({ 0: 3 }, NOW_MS + 3, { number: 4 }),
  ]);
  assert.deepEqual(codes, ['good', 'FORK', 'FORK', 'good']);
  assert.match(found[1]?.detail ?? '', /lane 0: another event 2 than it has signed before/);
  assert.match(found[2]?.detail ?? '', /lane 0 at 2, behind 3 that it has signed before/);
});

test("another host's signature and incarnation do not touch what a host has signed", () => {
  const forged = stored('Checkpoint', checkpoint({ 0: 900 }), { by: 'web-2' });
  const next = checkpoint({ 0: 1 }, { incarnation: 'ff'.repeat(8), madeMs: NOW_MS + 5 });
  const { checkpoints, codes } = read([at({ 0: 3 }, NOW_MS), forged, stored('Checkpoint', next)]);
  assert.deepEqual(codes, ['good', 'WRONG_HOST', 'good']);
  assert.equal(checkpoints.heads().get(chain(0))?.sequence, 3);
  assert.equal(checkpoints.heads().size, 2);
});

/** A log, what its hosts have signed of it, and what a verifier says of some of its records. */
function cut(keep: (record: Sealed) => boolean, trimmed = false) {
  const { log, writers } = buildLog(new Random(3), 60);
  const records = [...new Set(log.map(({ host }) => host))].map((host) => {
    const heads = [...writers.heads]
      .filter(([key]) => key.startsWith(`${host}/`))
      .map(([key, head]) => ({ lane: Number(key.split('/')[2]), ...head }))
      .sort((a, b) => a.lane - b.lane);
    return stored('Checkpoint', checkpoint({}, { host, heads: heads as never }));
  });
  const start = records.map(({ key: host }) =>
    stored('Checkpoint', checkpoint({}, { host, madeMs: NOW_MS - 1 })),
  );
  const { checkpoints, codes } = read([...start, ...records]);
  assert.deepEqual(new Set(codes), new Set(['good']));
  const unanchored = trimmed ? 'accept' : 'refuse';
  const verifier = new Verifier({ keyOf: writers.keyOf, unanchored });
  for (const record of log.filter(keep)) assert.equal(verifier.add(record), null);
  const findings = verifier.finish(checkpoints.heads(), 60);
  return { log, findings: findings.map(({ code, host, lane }) => `${code} ${host}/${lane}`) };
}

test('a log that was cut behind a checkpoint: each chain and how much is missing', () => {
  assert.deepEqual(cut(() => true).findings, []);
  const { log } = cut(() => true);
  const last = log.at(-1) as Sealed;
  const short = cut(({ offset }) => offset !== last.offset);
  assert.deepEqual(short.findings, [`TRUNCATED ${last.host}/${last.lane}`]);
});

test('a chain of which nothing is left, also in a log that was trimmed', () => {
  for (const trimmed of [false, true]) {
    const { findings } = cut(({ host, lane }) => host !== 'web-2' || lane !== 63, trimmed);
    assert.deepEqual(findings, ['TRUNCATED web-2/63']);
  }
});

test('records deleted before their time at the beginning of a log', () => {
  const { log } = cut(() => true);
  const chain0 = log.filter(({ host, lane }) => host === 'web-1' && lane === 0);
  const gone = new Set(chain0.slice(0, 2).map(({ offset }) => offset));
  const { findings } = cut(({ offset }) => !gone.has(offset), true);
  assert.deepEqual(findings, ['SEQUENCE_GAP web-1/0']);
});

test('what may have been deleted in its time is not missed', () => {
  const writers = new Writers();
  const frames = [0, 1, 2].flatMap((n) =>
    writers.seal({ host: 'web-1', lane: 0, events: [Buffer.from(`${n}`)], offset: n }),
  );
  const hash = (writers.heads.get(chain(0)) as { hash: Uint8Array }).hash;
  const heads = [{ lane: 0, sequence: 3, hash }];
  const whole = (madeMs: number) => stored('Checkpoint', checkpoint({}, { heads, madeMs }));
  const { checkpoints } = read([whole(SINCE_MS - 2), whole(NOW_MS)]);
  const verifier = new Verifier({ keyOf: writers.keyOf, unanchored: 'accept' });
  assert.deepEqual(verifier.finish(checkpoints.heads(), 3), [], 'silent since');
  verifier.add(frames[2] as Sealed);
  assert.deepEqual(verifier.finish(checkpoints.heads(), 3), [], 'its beginning is too old');
});
