import assert from 'node:assert/strict';
import test from 'node:test';
import { HOPS, isTraced, traceIds, traceparent } from '#event';

const EVENT = 'web-1/7d3f9c0011223344/0/1841';
const verdict = (decision: 'allow' | 'deny' | 'would_deny') => {
  return {
    verdict: { decision, rule: null, enforced: false, mode: 'lsm', by: 'subject' },
  } as const;
};

test('every denial is traced, and a sample of the rest', () => {
  assert.ok(isTraced(verdict('deny'), 7));
  assert.ok(isTraced(verdict('would_deny'), 7));
  const allowed = Array.from({ length: 10_240 }, (_, n) => isTraced(verdict('allow'), n));
  assert.equal(allowed.filter(Boolean).length, 10);
});

test('hops of an event share a trace, and each is the parent of the next', () => {
  const ids = HOPS.map((hop) => traceIds(EVENT, hop));
  assert.equal(new Set(ids.map(({ trace }) => trace)).size, 1);
  assert.equal(new Set(ids.map(({ span }) => span)).size, HOPS.length);
  assert.deepEqual(
    ids.map(({ parent }) => parent),
    [null, ...ids.slice(0, -1).map(({ span }) => span)],
  );
  assert.notEqual(traceIds(`${EVENT}2`, 'store').trace, ids[0]?.trace);
});

test('the header is what W3C asks for', () => {
  assert.match(traceparent(EVENT, 'send'), /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});
