import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type EventError,
  formatEventId,
  hostName,
  incarnation,
  lane,
  laneOf,
  parseEventId,
  principalKey,
  sequence,
} from '#event';

test('an id is printed and read back', () => {
  const id = {
    host: hostName('Web-1'),
    incarnation: incarnation('7d3f9c0011223344'),
    lane: lane(63),
    sequence: sequence(1841),
  };
  assert.equal(formatEventId(id), 'web-1/7d3f9c0011223344/63/1841');
  assert.deepEqual(parseEventId(formatEventId(id)), id);
});

test('lanes are part of the contract: these never change', () => {
  assert.equal(laneOf(principalKey('uid:0@web-1')), 12);
  assert.equal(laneOf(principalKey('host:web-1')), 52);
  assert.equal(laneOf(principalKey('cilium@web-1')), 41);
});

for (const bad of [
  '',
  'web-1/7d3f/0/1',
  'web-1/7d3f9c0011223344/64/1',
  'a/b/c',
  'web-1/7d3f9c0011223344/0/-1',
]) {
  test(`not an event id: ${JSON.stringify(bad)}`, () => {
    assert.throws(
      () => parseEventId(bad),
      (error: EventError) => error.code === 'BAD_ID',
    );
  });
}

for (const bad of ['', 'alice', 'uid:x@web-1', 'uid:1@', 'a b@web-1', 'host:', 'uid:1@web\n']) {
  test(`not a principal: ${JSON.stringify(bad)}`, () => {
    assert.throws(
      () => principalKey(bad),
      (error: EventError) => error.code === 'BAD_ID',
    );
  });
}
