import assert from 'node:assert/strict';
import test from 'node:test';
import type { KernelCounter } from '#bpf';
import { openMemoryStore } from '#state';
import { Counters, counterKey } from '../../../services/collector/counters.ts';
import { translate } from '../../../services/collector/translate.ts';
import { act, context, LOOKUP } from './support.ts';

const counter = (calls: number): KernelCounter => ({
  key: counterKey(act),
  subject: act.subject,
  exe: act.exe,
  mapId: 0,
  command: LOOKUP,
  resultClass: 0,
  flags: 0,
  calls,
  lastBootNs: 9n,
  pid: act.pid,
  uid: 0,
  auid: 0xffffffff,
  loader: 0,
  comm: 'reader',
});

const told = (counters: Counters, calls: number) =>
  counters.collect([counter(calls)], context).map(({ act: { count } }) => count);

test('the first call comes as a record, the rest as totals', async () => {
  const counters = await Counters.open(openMemoryStore(), 'boot');
  counters.first(act, translate(act, context));
  assert.deepEqual(told(counters, 5), [4]);
  assert.deepEqual(told(counters, 5), []);
  assert.deepEqual(told(counters, 8), [3]);
});

test('a counter read before its first record waits for it: no call is told twice', async () => {
  const counters = await Counters.open(openMemoryStore(), 'boot');
  assert.deepEqual(told(counters, 5), []);
  assert.ok(counters.unsettled);
  counters.first(act, translate(act, context));
  assert.ok(!counters.unsettled);
  assert.deepEqual(told(counters, 5), [4]);
});

test('a first record that never comes was lost and declared: the rest is told', async () => {
  const counters = await Counters.open(openMemoryStore(), 'boot');
  assert.deepEqual(told(counters, 5), []);
  assert.deepEqual(told(counters, 6), [5]);
  assert.deepEqual(told(counters, 7), [1]);
});

test('what was told is remembered across restarts, and forgotten with the boot', async () => {
  const store = openMemoryStore();
  const counters = await Counters.open(store, 'boot');
  counters.first(act, translate(act, context));
  assert.deepEqual(told(counters, 5), [4]);
  await store.commit({ outputs: [], state: counters.changes(), position: [] });
  const again = await Counters.open(store, 'boot');
  assert.deepEqual(told(again, 7), [2]);
  const next = await Counters.open(store, 'another boot');
  assert.equal(next.changes().filter(({ value }) => value === null).length, 1);
});
