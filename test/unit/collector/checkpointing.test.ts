import assert from 'node:assert/strict';
import test from 'node:test';
import { openSigned } from '#chain';
import { type Checkpoint, hostName, incarnation } from '#event';
import { LogError } from '#log';
import { openMemoryStore } from '#state';
import { CHECKPOINT_MS, Checkpointing } from '../../../services/collector/checkpointing.ts';
import { lifeChange } from '../../../services/collector/incarnation.ts';
import { Lanes } from '../../../services/collector/lanes.ts';
import { eventOf, HOST_KEY, QUIET } from '../../pipeline/live-fold.ts';
import { KEYS, SIGNERS } from '../chain/signers.ts';

const HOST = hostName('web-1');
const LIFE = incarnation('00000000000000aa');

/** A host's log, and what of it the brokers have acknowledged. */
async function bed() {
  const store = openMemoryStore();
  const lanes = await Lanes.open(store, { host: HOST, incarnation: LIFE, key: HOST_KEY });
  const life = { incarnation: LIFE, bootId: 'boot', clean: false, predecessor: null };
  const sent: Checkpoint[] = [];
  const state = { acknowledged: 0, nowMs: 1_790_000_000_000, refuses: false };
  const add = async (who: number) => {
    const { outputs, state } = lanes.seal([eventOf({ ...QUIET, who }, 1)]);
    await store.commit({ outputs, state: [...state, lifeChange(life)], position: [] });
  };
  const checkpointing = new Checkpointing({
    store,
    host: HOST,
    key: KEYS[HOST] as (typeof KEYS)[string],
    acknowledged: () => state.acknowledged,
    send: async (value) => {
      if (state.refuses) throw new LogError('UNREACHABLE', 'nobody there');
      const { nowMs: appendedMs } = state;
      const record = { offset: sent.length, key: HOST, value, appendedMs };
      sent.push(openSigned('Checkpoint', record, SIGNERS));
    },
    now: () => state.nowMs,
  });
  const last = () =>
    (sent.at(-1)?.heads ?? []).map(({ lane, sequence }) => `${lane}:${sequence}`).join(' ');
  return { checkpointing, add, state, sent, last, lanes, store };
}

test('what the brokers have not acknowledged is not signed', async () => {
  const { checkpointing, add, state, sent, last } = await bed();
  assert.equal(await checkpointing.step(), false, 'nobody has written yet');
  await add(1);
  assert.equal(await checkpointing.step(), false);
  // Stored after the heads were taken: part of the next one.
  await add(1);
  state.acknowledged = 1;
  assert.equal(await checkpointing.step(), true);
  const first = last();
  assert.match(first, /^\d+:1$/);
  assert.equal(sent[0]?.clean, false);
  state.acknowledged = 2;
  assert.equal(await checkpointing.step(), false, 'not due');
  state.nowMs += CHECKPOINT_MS;
  assert.equal(await checkpointing.step(), true);
  assert.equal(last(), first.replace(/1$/, '2'));
});

test('nothing is signed again while nothing changes, but at the end', async () => {
  const { checkpointing, add, state, sent } = await bed();
  await add(1);
  state.acknowledged = 1;
  await checkpointing.step();
  for (let n = 0; n < 5; n++) {
    state.nowMs += CHECKPOINT_MS;
    assert.equal(await checkpointing.step(), false);
  }
  assert.equal(await checkpointing.finish(), true);
  assert.deepEqual(
    sent.map(({ clean }) => clean),
    [false, true],
  );
});

test('the last one is left out where the brokers do not have all', async () => {
  const { checkpointing, add, sent } = await bed();
  await add(1);
  assert.equal(await checkpointing.finish(), false);
  assert.equal(sent.length, 0);
});

test('what could not be sent is not sent later: heads are taken anew', async () => {
  const { checkpointing, add, state, last } = await bed();
  await add(1);
  state.acknowledged = 1;
  state.refuses = true;
  await assert.rejects(checkpointing.step(), LogError);
  await add(1);
  state.refuses = false;
  assert.equal(await checkpointing.step(), false, 'one event more is not acknowledged');
  state.acknowledged = 2;
  assert.equal(await checkpointing.step(), true);
  assert.match(last(), /:2$/);
});

test('the hash is that of the chain, and lanes without events are left out', async () => {
  const { checkpointing, add, state, sent, store } = await bed();
  for (const who of [0, 1, 2]) await add(who);
  state.acknowledged = 3;
  await checkpointing.step();
  const heads = sent[0]?.heads ?? [];
  const stored = await store.scan('lane', { limit: 64 });
  const parsed = stored.map(({ lane, value }) => ({
    lane,
    ...JSON.parse(`${Buffer.from(value)}`),
  }));
  assert.deepEqual(
    heads.map(({ lane, hash }) => [lane, Buffer.from(hash).toString('hex')]),
    parsed.map(({ lane, hash }) => [lane, hash]),
  );
  assert.ok(heads.length > 1 && heads.every(({ sequence }) => sequence > 0));
});
