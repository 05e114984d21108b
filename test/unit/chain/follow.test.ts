import assert from 'node:assert/strict';
import { it } from 'node:test';
import { follow, type Head, type OpenedFrame, openFrame } from '#chain';
import { type Sealed, Writers } from './lanes.ts';

function events(...texts: string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text));
}

function setUp() {
  const writers = new Writers();
  const open = ([frame]: Sealed[]): OpenedFrame =>
    openFrame((frame as Sealed).value, writers.keyOf);
  const next = (...texts: string[]) =>
    open(writers.seal({ host: 'web-1', lane: 3, events: events(...texts) }));
  /** What the host seals as if it stood at `fork`. */
  const forked = (fork: Head, ...texts: string[]) =>
    open(writers.seal({ host: 'web-1', lane: 3, events: events(...texts), fork }));
  return { next, forked };
}

function summary({ accepted, duplicates, faults }: ReturnType<typeof follow>) {
  return {
    accepted: accepted.map(({ sequence }) => sequence),
    duplicates,
    faults: faults.map(({ code, sequence }) => `${code} ${sequence}`),
  };
}

it('follow accepts a chain from its genesis on', () => {
  const { next } = setUp();
  const [a, b] = [next('0', '1'), next('2')];
  const first = follow(null, a);
  assert.deepEqual(summary(first), { accepted: [0, 1], duplicates: 0, faults: [] });
  assert.deepEqual(first.accepted[1]?.hash, a.next.hash);
  const second = follow(first.head, b);
  assert.deepEqual(summary(second), { accepted: [2], duplicates: 0, faults: [] });
  assert.deepEqual(second.head, b.next);
});

it('follow skips a repeat, and keeps the very head', () => {
  const { next } = setUp();
  const [a, b] = [next('0', '1'), next('2', '3')];
  for (const frame of [a, b]) {
    const followed = follow(b.next, frame);
    assert.deepEqual(summary(followed), { accepted: [], duplicates: 2, faults: [] });
    assert.equal(followed.head, b.next);
  }
});

it('follow takes what is new of a frame that overlaps', () => {
  const { next, forked } = setUp();
  const a = next('0', '1');
  const b = next('2');
  const wide = forked({ sequence: 1, hash: a.events[0]?.hash as Buffer }, '1', '2', '3');
  const followed = follow(b.next, wide);
  assert.deepEqual(summary(followed), { accepted: [3], duplicates: 2, faults: [] });
  assert.deepEqual(followed.head, wide.next);
});

it('follow reports events that are missing, and goes on behind them', () => {
  const { next } = setUp();
  const a = next('0');
  next('1', '2');
  const c = next('3');
  assert.deepEqual(summary(follow(a.next, c)), {
    accepted: [3],
    duplicates: 0,
    faults: ['SEQUENCE_GAP 1'],
  });
  assert.deepEqual(follow(a.next, c).head, c.next);
  assert.deepEqual(summary(follow(null, c)).faults, ['SEQUENCE_GAP 0']);
});

it('follow reports a frame that continues another history', () => {
  const { next, forked } = setUp();
  const a = next('0');
  const other = forked({ sequence: 1, hash: Buffer.alloc(32) }, '1');
  const expected = { accepted: [1], duplicates: 0, faults: ['BROKEN_LINK 1'] };
  assert.deepEqual(summary(follow(a.next, other)), expected);
  const start = forked({ sequence: 0, hash: Buffer.alloc(32) }, '0');
  assert.deepEqual(summary(follow(null, start)).faults, ['BROKEN_LINK 0']);
});

it('follow reports an id at the head with another hash, and never applies it again', () => {
  const { next, forked } = setUp();
  const a = next('0', '1');
  const fork = forked({ sequence: 1, hash: a.events[0]?.hash as Buffer }, 'other');
  const same = follow(a.next, fork);
  assert.deepEqual(summary(same), { accepted: [], duplicates: 1, faults: ['FORK 1'] });
  assert.equal(same.head, a.next);
  const wide = forked({ sequence: 1, hash: a.events[0]?.hash as Buffer }, 'other', '2');
  assert.deepEqual(summary(follow(a.next, wide)), {
    accepted: [2],
    duplicates: 1,
    faults: ['FORK 1'],
  });
});

it('follow compares only the sequence below the head', () => {
  const { next, forked } = setUp();
  const a = next('0');
  const b = next('1');
  const old = forked({ sequence: 0, hash: a.previous }, 'other');
  assert.deepEqual(summary(follow(b.next, old)), { accepted: [], duplicates: 1, faults: [] });
});
