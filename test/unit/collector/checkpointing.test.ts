import assert from 'node:assert/strict';
import test from 'node:test';
import { type Checkpoint, decode, hostName, incarnation } from '#event';
import { LogError } from '#log';
import { openMemoryStore } from '#state';
import {
  CHECKPOINT_MS,
  Checkpointing,
  QUIET_MS,
} from '../../../services/collector/checkpointing.ts';
import { lifeChange } from '../../../services/collector/incarnation.ts';
import { Lanes } from '../../../services/collector/lanes.ts';
import { eventOf, HOST_KEY, QUIET } from '../../pipeline/live-fold.ts';
import { KEYS } from '../chain/signers.ts';

const HOST = hostName('web-1');
const LIFE = incarnation('00000000000000aa');

/** What brokers do; `forget`: they take it, and their answer is lost. */
const TAKES = { refuse: false, forget: false };

/** A host's log, and what of it the brokers have acknowledged. */
async function bed() {
  const store = openMemoryStore();
  const lanes = await Lanes.open(store, { host: HOST, incarnation: LIFE, key: HOST_KEY });
  const life = { incarnation: LIFE, bootId: 'boot', clean: false, predecessor: null };
  const sent: Checkpoint[] = [];
  const state = { acknowledged: 0, nowMs: 1_790_000_000_000, steadyMs: 0, ...TAKES };
  const add = async (who: number) => {
    const { outputs, state } = lanes.seal([eventOf({ ...QUIET, who }, 1)]);
    await store.commit({ outputs, state: [...state, lifeChange(life)], position: [] });
  };
  const options = {
    store,
    host: HOST,
    key: KEYS[HOST] as (typeof KEYS)[string],
    acknowledged: () => state.acknowledged,
    send: async (value: Uint8Array) => {
      if (state.refuse) throw new LogError('UNREACHABLE', 'nobody there');
      sent.push(decode('Checkpoint', value));
      if (state.forget) throw new LogError('UNREACHABLE', 'no answer');
    },
    now: () => state.nowMs,
    steady: () => state.steadyMs,
  };
  /** As the next run of the collector has it. */
  const again = () => new Checkpointing(options);
  const said = () =>
    sent.map(({ number, heads }) => {
      return `${number}: ${heads.map(({ sequence }) => sequence).join(' ')}`;
    });
  return { checkpointing: again(), again, add, state, sent, said, store };
}

test('what the brokers have not acknowledged is not signed', async () => {
  const { checkpointing, add, state, said } = await bed();
  assert.equal(await checkpointing.step(), false, 'nobody has written yet');
  await add(1);
  assert.equal(await checkpointing.step(), false);
  // Stored after the heads were taken: part of the next one.
  await add(1);
  state.acknowledged = 1;
  assert.equal(await checkpointing.step(), true);
  assert.deepEqual(said(), ['1: 1']);
  state.acknowledged = 2;
  assert.equal(await checkpointing.step(), false, 'not due');
  state.steadyMs += CHECKPOINT_MS;
  assert.equal(await checkpointing.step(), true);
  assert.deepEqual(said(), ['1: 1', '2: 2']);
});

test('nothing is signed again while nothing changes, nor at the end', async () => {
  const { checkpointing, add, state, said } = await bed();
  await add(1);
  state.acknowledged = 1;
  await checkpointing.step();
  for (let n = 0; n < 5; n++) {
    state.steadyMs += CHECKPOINT_MS;
    assert.equal(await checkpointing.step(), false);
  }
  assert.equal(await checkpointing.finish(), false);
  await add(1);
  state.acknowledged = 2;
  assert.equal(await checkpointing.finish(), true, 'due or not');
  assert.deepEqual(said(), ['1: 1', '2: 2']);
});

test('the last one is left out where the brokers do not have all', async () => {
  const { checkpointing, add, sent } = await bed();
  await add(1);
  assert.equal(await checkpointing.finish(), false);
  assert.equal(sent.length, 0);
});

for (const fate of ['refuse', 'forget'] as const) {
  test(`a number stands for the same heads where brokers ${fate}`, async () => {
    const { checkpointing, add, state, sent, said } = await bed();
    await add(1);
    state.acknowledged = 1;
    state[fate] = true;
    await assert.rejects(checkpointing.step(), LogError);
    assert.equal(await checkpointing.number(), 0);
    sent.length = 0;
    await add(1);
    state.acknowledged = 2;
    state[fate] = false;
    assert.equal(await checkpointing.step(), true, 'at once, not after a minute');
    assert.equal(await checkpointing.number(), 1);
    state.steadyMs += CHECKPOINT_MS;
    assert.equal(await checkpointing.step(), true);
    assert.deepEqual(said(), ['1: 1', '2: 2']);
  });
}

test('numbers go on over runs, and what was not acknowledged comes first', async () => {
  const { checkpointing, again, add, state, said, sent } = await bed();
  await add(1);
  state.acknowledged = 1;
  await checkpointing.step();
  const second = again();
  assert.equal(await second.number(), 1, 'known before anything is sent');
  await add(1);
  state.acknowledged = 2;
  state.forget = true;
  await assert.rejects(second.finish(), LogError);
  await add(1);
  state.forget = false;
  state.acknowledged = 3;
  const third = again();
  assert.equal(await third.number(), 1);
  assert.equal(await third.step(), true);
  assert.equal(await third.step(), true, 'the first of a run is due at once');
  assert.deepEqual(said(), ['1: 1', '2: 2', '2: 2', '3: 3']);
  const [, before, after] = sent;
  assert.deepEqual(after?.heads, before?.heads);
});

test('a store that refuses leaves no gap, and sends nothing', async (t) => {
  const { checkpointing, add, state, store, said } = await bed();
  await add(1);
  state.acknowledged = 1;
  const commit = t.mock.method(store, 'commit', async () => {
    throw new LogError('FULL', 'no space');
  });
  await assert.rejects(checkpointing.step(), LogError);
  assert.deepEqual(said(), []);
  commit.mock.restore();
  assert.equal(await checkpointing.step(), true);
  assert.deepEqual(said(), ['1: 1']);
});

test('a clock that is set back an hour delays no checkpoint', async () => {
  const { checkpointing, add, state, said, sent } = await bed();
  await add(1);
  state.acknowledged = 1;
  await checkpointing.step();
  await add(1);
  state.acknowledged = 2;
  state.nowMs -= 3_600_000;
  state.steadyMs += CHECKPOINT_MS;
  assert.equal(await checkpointing.step(), true);
  assert.deepEqual(said(), ['1: 1', '2: 2']);
  assert.equal(sent[1]?.madeMs, state.nowMs);
});

test('each says when the one before was made; where nothing happens one comes a day', async () => {
  const { checkpointing, again, add, state, said, sent } = await bed();
  await add(1);
  state.acknowledged = 1;
  await checkpointing.step();
  const first = state.nowMs;
  state.steadyMs += QUIET_MS - 1;
  assert.equal(await checkpointing.step(), false);
  state.nowMs += QUIET_MS;
  state.steadyMs += CHECKPOINT_MS;
  assert.equal(await checkpointing.step(), true);
  assert.deepEqual(said(), ['1: 1', '2: 1']);
  await add(1);
  state.acknowledged = 2;
  await again().step();
  const times = sent.map(({ previousMs }) => previousMs);
  assert.deepEqual(times, [0, first, first + QUIET_MS]);
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
