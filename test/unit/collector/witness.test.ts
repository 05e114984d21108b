import assert from 'node:assert/strict';
import test from 'node:test';
import { Heartbeats, openSigned } from '#chain';
import { hostName, incarnation } from '#event';
import type { KafkaClient } from '#log/kafka';
import { openMemoryStore } from '#state';
import { createLogger } from '#telemetry';
import { lifeChange } from '../../../services/collector/incarnation.ts';
import { HEARTBEAT_MS, Witness } from '../../../services/collector/witness.ts';
import { KEYS, SIGNERS } from '../chain/signers.ts';

const HOST = hostName('web-1');

interface Batch {
  readonly topicMessages: readonly {
    readonly topic: string;
    readonly messages: readonly { readonly key: Buffer; readonly value: Buffer }[];
  }[];
}

/** A host whose brokers take everything, or nothing. */
async function bed() {
  const state = { nowMs: 1_790_000_000_000, mode: 'lsm', away: false };
  const sent: { topic: string; key: string; value: Buffer }[] = [];
  const sendBatch = async ({ topicMessages }: Batch) => {
    if (state.away) throw Object.assign(new Error('away'), { name: 'KafkaJSConnectionError' });
    for (const { topic, messages } of topicMessages) {
      for (const { key, value } of messages) sent.push({ topic, key: `${key}`, value });
    }
    return topicMessages.map(({ topic: topicName }) => {
      return { topicName, partition: 0, errorCode: 0, baseOffset: '0' };
    });
  };
  const nothing = async () => undefined;
  const producer = () => ({ connect: nothing, disconnect: nothing, sendBatch });
  const client = { topic: (topic: string) => topic, kafka: { producer } };
  const store = openMemoryStore();
  const life = { bootId: 'boot', clean: false, predecessor: null };
  const change = lifeChange({ ...life, incarnation: incarnation('00000000000000aa') });
  await store.commit({ outputs: [], state: [change], position: [] });
  const witness = new Witness({
    store,
    client: client as unknown as KafkaClient,
    logger: createLogger({ level: 'silent', name: 'test' }),
    host: HOST,
    key: KEYS[HOST] as (typeof KEYS)[string],
    version: '1.0.0',
    mode: () => state.mode,
    said: async () => {
      const { mode } = state;
      return { mode, capabilities: [], policy: '', revision: 0, lag: 0, lost: [] };
    },
    acknowledged: () => 0,
    now: () => state.nowMs,
  });
  const records = (topic: string) =>
    sent
      .filter((one) => one.topic === topic)
      .map(({ key, value }, offset) => ({ offset, key, value, appendedMs: state.nowMs }));
  const beats = () =>
    records('bpf.hosts').map((record) => openSigned('Heartbeat', record, SIGNERS));
  return { witness, state, beats, records };
}

test('a heartbeat every 15 s, and at once when the mode changes', async () => {
  const { witness, state, beats } = await bed();
  await witness.look();
  state.nowMs += HEARTBEAT_MS - 1;
  await witness.look();
  assert.equal(beats().length, 1);
  state.nowMs += 1;
  await witness.look();
  assert.equal(beats().length, 2);
  state.nowMs += 1000;
  state.mode = 'none';
  await witness.look();
  await witness.look();
  assert.deepEqual(
    beats().map(({ mode }) => mode),
    ['lsm', 'lsm', 'none'],
  );
});

test('at the end a last checkpoint, and stopped', async () => {
  const { witness, beats, records } = await bed();
  await witness.look();
  await witness.finish();
  assert.deepEqual(
    beats().map(({ state }) => state),
    ['running', 'stopped'],
  );
  const [first, last] = records('bpf.checkpoints').map((record) =>
    openSigned('Checkpoint', record, SIGNERS),
  );
  assert.deepEqual([first?.clean, last?.clean], [false, true]);
});

test('what brokers do not take is made anew, and nothing waits meanwhile', async () => {
  const { witness, state, beats } = await bed();
  state.away = true;
  for (let second = 0; second < 60; second++) {
    await witness.look();
    state.nowMs += 1000;
  }
  state.away = false;
  const fromMs = state.nowMs;
  for (let second = 0; second < HEARTBEAT_MS / 1000 && beats().length === 0; second++) {
    await witness.look();
    state.nowMs += 1000;
  }
  assert.equal(beats().length, 1);
  assert.ok((beats()[0]?.madeMs ?? 0) >= fromMs);
});

test('a clock that is set back makes no heartbeat that counts as an old one', async () => {
  const { witness, state, records } = await bed();
  const heartbeats = new Heartbeats(SIGNERS);
  await witness.look();
  state.nowMs -= 5000;
  await witness.finish();
  for (const record of records('bpf.hosts')) assert.equal(heartbeats.add(record), null);
  assert.equal(heartbeats.last.get(HOST)?.heartbeat.state, 'stopped');
});
