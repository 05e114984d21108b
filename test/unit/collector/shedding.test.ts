import assert from 'node:assert/strict';
import test from 'node:test';
import { openMemoryStore } from '#state';
import type { RingItem } from '../../../services/collector/rings.ts';
import { Shedding } from '../../../services/collector/shedding.ts';

const LIMIT = 1000;
const item = (ring: RingItem['ring'], position: number): RingItem => {
  return { ring, position, fault: 'it does not matter what is in it' };
};
const batch = (from: number) => [item('bulk', from), item('deny', from), item('bulk', from + 8)];

/** A store that says it is as full as it is told. */
async function opened() {
  const store = await openMemoryStore();
  const used = { bytes: 0 };
  const sized = {
    get: store.get.bind(store),
    size: async () => ({ bytes: used.bytes + 500, freeBytes: 500 }),
  };
  let nowMs = 0;
  const shedding = await Shedding.open(sized, LIMIT);
  const at = async (bytes: number) => {
    used.bytes = bytes;
    nowMs += 1000;
    await shedding.look(nowMs);
  };
  return { store, sized, shedding, at };
}

test('below its bound everything is stored', async () => {
  const { shedding, at } = await opened();
  await at(999);
  assert.deepEqual(shedding.admit(batch(0)), batch(0));
  assert.equal(shedding.ended(), null);
  assert.deepEqual(shedding.changes(), []);
});

test('full: bulk goes, and a run of it is one loss when there is room again', async () => {
  const { shedding, at } = await opened();
  await at(1000);
  assert.deepEqual(shedding.admit(batch(16)), [item('deny', 16)]);
  await at(950);
  assert.deepEqual(shedding.admit(batch(32)), [item('deny', 32)], 'not before 90 %');
  assert.equal(shedding.ended(), null);
  await at(899);
  assert.deepEqual(shedding.admit(batch(48)), batch(48));
  assert.deepEqual(shedding.ended(), { count: 4, first: 16, last: 40 });
  assert.equal(shedding.ended(), null, 'once');
});

test('a run that was not declared is remembered by the next collector', async () => {
  const { store, sized, shedding, at } = await opened();
  await at(1000);
  shedding.admit(batch(0));
  await store.commit({ outputs: [], state: shedding.changes(), position: [] });
  const next = await Shedding.open(sized, LIMIT);
  assert.deepEqual(next.ended(), { count: 2, first: 0, last: 8 });
  await store.commit({ outputs: [], state: next.changes(), position: [] });
  assert.equal((await Shedding.open(sized, LIMIT)).ended(), null);
});

test('a quarter over its bound nothing is read', async () => {
  const { shedding, at } = await opened();
  await at(1249);
  assert.equal(shedding.holds, false);
  await at(1250);
  assert.equal(shedding.holds, true);
  await at(1249);
  assert.equal(shedding.holds, false);
});

test('what is stored between two looks counts', async () => {
  const { shedding, at } = await opened();
  await at(900);
  shedding.wrote(99);
  assert.deepEqual(shedding.admit(batch(0)), batch(0));
  shedding.wrote(1);
  assert.deepEqual(shedding.admit(batch(16)), [item('deny', 16)]);
  shedding.wrote(250);
  assert.equal(shedding.holds, true);
});
