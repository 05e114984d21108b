import assert from 'node:assert/strict';
import test from 'node:test';
import { lane } from '#event';
import { controlOf, controlOutput, Fold, seal } from '#fold';
import { canonical, defaultPolicy, hashPolicy } from '#policy';
import { openMemoryStore } from '#state';

const CONTROL = Buffer.alloc(32, 9);
const LANE = lane(3);

async function withPolicy() {
  const store = openMemoryStore({ clock: () => 1000 });
  const policy = defaultPolicy();
  const policyHash = hashPolicy(policy);
  const what = { policyHash, policy: canonical(policy), timeMs: 1000 };
  const control = controlOf({ id: 'policy/1', lane: LANE, kind: 'policy', ...what });
  const output = controlOutput(seal('Control', control, CONTROL));
  await store.commit({ outputs: [output], state: [], position: [] });
  const limit = { records: 10, bytes: 1 << 20 };
  const records = await store.log.read({ topic: 'bpf.events', partition: 0 }, 0, limit);
  const fold = new Fold({ state: store, keys: { hostKeyOf: () => null, control: CONTROL } });
  return { store, fold, records, policyHash };
}

test('a batch with a policy that is folded again comes to the same', async () => {
  const { store, fold, records, policyHash } = await withPolicy();
  const first = await fold.apply(records);
  assert.equal(await fold.policyHash(LANE), null, 'nothing is committed');
  const second = await fold.apply(records);
  assert.deepEqual(second, first);
  assert.deepEqual([second.state.length, second.outputs.length], [1, 1]);
  await store.commit({ outputs: second.outputs, state: second.state, position: [] });
  fold.committed();
  assert.equal(await fold.policyHash(LANE), policyHash);
  const third = await fold.apply(records);
  assert.deepEqual([third.state, third.outputs], [[], []], 'committed once');
});
