import assert from 'node:assert/strict';
import test from 'node:test';
import { openMemoryStore } from '#state';
import { Losses } from '../../../services/collector/losses.ts';

test('a hole lies between the last record before it and the first after it', async () => {
  const losses = await Losses.open(openMemoryStore(), 'boot/1,2,3');
  assert.equal(losses.before('bulk', 0, 0), null);
  assert.equal(losses.before('bulk', 320, 0), null);
  assert.deepEqual(losses.before('bulk', 640, 5), {
    ring: 'bulk',
    count: 5,
    after: 320,
    before: 640,
  });
  assert.equal(losses.before('bulk', 960, 5), null, 'declared once');
});

test('what was lost after the last record is declared at the end of the ring', async () => {
  const losses = await Losses.open(openMemoryStore(), 'boot/1,2,3');
  losses.before('deny', 0, 0);
  assert.deepEqual(losses.atEnd('deny', 320, 2), {
    ring: 'deny',
    count: 2,
    after: 0,
    before: 320,
  });
  assert.equal(losses.before('deny', 320, 2), null, 'the next record carries the same count');
});

test('a record that carries an older count than was declared declares nothing', async () => {
  const losses = await Losses.open(openMemoryStore(), 'boot/1,2,3');
  losses.atEnd('bulk', 0, 7);
  assert.equal(losses.before('bulk', 0, 6), null);
  assert.equal(losses.before('bulk', 320, 8)?.count, 1);
});

test('what was declared is remembered for these rings, and for no others', async () => {
  const store = openMemoryStore();
  const losses = await Losses.open(store, 'boot/1,2,3');
  losses.before('object', 0, 9);
  await store.commit({ outputs: [], state: losses.changes(), position: [] });
  const again = await Losses.open(store, 'boot/1,2,3');
  assert.equal(again.before('object', 320, 9), null);
  const other = await Losses.open(store, 'boot/4,5,6');
  assert.equal(other.before('object', 0, 9)?.count, 9);
});
