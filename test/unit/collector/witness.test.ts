import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Heartbeats } from '#chain';
import { decode, hostName, incarnation } from '#event';
import type { KafkaClient } from '#log/kafka';
import { openMemoryStore } from '#state';
import type { Logger } from '#telemetry';
import { lifeChange } from '../../../services/collector/incarnation.ts';
import { HEARTBEAT_MS, LAST_MS, Witness } from '../../../services/collector/witness.ts';
import { KEYS, SIGNERS } from '../chain/signers.ts';

const HOST = hostName('web-1');
const LIFE = incarnation('00000000000000aa');

/** Waits until all that can be done without a timer is done. */
async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) await turn();
}

interface Batch {
  readonly topicMessages: readonly {
    readonly topic: string;
    readonly messages: readonly { readonly key: Buffer; readonly value: Buffer }[];
  }[];
}

type Topic = 'bpf.hosts' | 'bpf.checkpoints';
/** What brokers do with a topic's records. */
type Brokers = 'take' | 'are away' | 'refuse' | 'hang';

const ERRORS = {
  'are away': () => Object.assign(new Error('away'), { name: 'KafkaJSConnectionError' }),
  refuse: () => {
    const type = 'TOPIC_AUTHORIZATION_FAILED';
    return Object.assign(new Error('not authorized'), { name: 'KafkaJSProtocolError', type });
  },
};

interface State {
  nowMs: number;
  steadyMs: number;
  mode: string;
  /** Thrown by what says how the host is. */
  fault: Error | null;
  readonly brokers: Record<Topic, Brokers>;
}

/** Brokers that do as `state` says, and what they took. */
function clientOf(state: State) {
  const sent: { topic: Topic; key: string; value: Buffer }[] = [];
  const sendBatch = async ({ topicMessages }: Batch) => {
    const [{ topic, messages }] = topicMessages as [Batch['topicMessages'][number]];
    const brokers = state.brokers[topic as Topic];
    if (brokers === 'hang') return new Promise<never>(() => undefined);
    if (brokers !== 'take') throw ERRORS[brokers]();
    for (const { key, value } of messages)
      sent.push({ topic: topic as Topic, key: `${key}`, value });
    return [{ topicName: topic, partition: 0, errorCode: 0, baseOffset: '0' }];
  };
  const nothing = async () => undefined;
  const producer = () => ({ connect: nothing, disconnect: nothing, sendBatch });
  const client = { topic: (topic: string) => topic, kafka: { producer } };
  return { sent, client: client as unknown as KafkaClient };
}

/** Lines of the log, and who writes them. */
function loggerOf() {
  const lines: string[] = [];
  const write = (_: unknown, text = `${_}`) => lines.push(text);
  return { lines, logger: { error: write, warn: write } as unknown as Logger };
}

/** A host that has written, and whose brokers have all of it. */
async function bed() {
  const brokers: State['brokers'] = { 'bpf.hosts': 'take', 'bpf.checkpoints': 'take' };
  const clocks = { nowMs: 1_790_000_000_000, steadyMs: 0 };
  const state: State = { ...clocks, mode: 'lsm', fault: null, brokers };
  const { sent, client } = clientOf(state);
  const { lines, logger } = loggerOf();
  const store = openMemoryStore();
  const add = async (n: number) => {
    const life = { bootId: 'boot', clean: false, predecessor: null, incarnation: LIFE };
    const record = { topic: 'bpf.events', lane: 0, key: '0', value: Buffer.from(`${n}`) } as const;
    await store.commit({ outputs: [record], state: [lifeChange(life)], position: [] });
  };
  await add(1);
  const witness = new Witness({
    store,
    client,
    logger,
    host: HOST,
    key: KEYS[HOST] as (typeof KEYS)[string],
    version: '1.0.0',
    mode: () => state.mode,
    said: async () => {
      if (state.fault !== null) throw state.fault;
      const { mode } = state;
      return { mode, capabilities: [], policy: '', revision: 0, lag: 0, lost: [] };
    },
    acknowledged: () => 1000,
    now: () => state.nowMs,
    steady: () => state.steadyMs,
  });
  const records = (topic: Topic) =>
    sent
      .filter((one) => one.topic === topic)
      .map(({ key, value }, offset) => ({ offset, key, value, appendedMs: state.nowMs }));
  const beats = () => records('bpf.hosts').map(({ value }) => decode('Heartbeat', value));
  const checkpoints = () =>
    records('bpf.checkpoints').map(({ value }) => decode('Checkpoint', value).number);
  const pass = (ms: number) => {
    state.nowMs += ms;
    state.steadyMs += ms;
  };
  const look = () => Promise.all([witness.beatWhereDue(), witness.checkpointWhereDue()]);
  return { witness, state, beats, checkpoints, records, pass, look, lines, add };
}

test('a heartbeat every 15 s, and at once when the mode changes', async () => {
  const { state, beats, pass, look } = await bed();
  await look();
  pass(HEARTBEAT_MS - 1);
  await look();
  assert.equal(beats().length, 1);
  pass(1);
  await look();
  assert.equal(beats().length, 2);
  pass(1000);
  state.mode = 'none';
  await look();
  await look();
  assert.deepEqual(
    beats().map(({ mode }) => mode),
    ['lsm', 'lsm', 'none'],
  );
});

test('at the end a last checkpoint, and stopped, which names it', async () => {
  const { witness, beats, checkpoints, look, add } = await bed();
  await look();
  await add(2);
  await witness.finish();
  assert.deepEqual(
    beats().map(({ state }) => state),
    ['running', 'stopped'],
  );
  assert.deepEqual(checkpoints(), [1, 2]);
  assert.equal(beats().at(-1)?.checkpoint, 2);
});

test('what brokers do not take is made anew, and nothing waits meanwhile', async () => {
  const { state, beats, pass, look } = await bed();
  state.brokers['bpf.hosts'] = 'are away';
  for (let second = 0; second < 60; second++) {
    await look();
    pass(1000);
  }
  state.brokers['bpf.hosts'] = 'take';
  const fromMs = state.nowMs;
  for (let second = 0; second < HEARTBEAT_MS / 1000 && beats().length === 0; second++) {
    await look();
    pass(1000);
  }
  assert.equal(beats().length, 1);
  assert.ok((beats()[0]?.madeMs ?? 0) >= fromMs);
});

for (const [refused, other] of [
  ['bpf.hosts', 'bpf.checkpoints'],
  ['bpf.checkpoints', 'bpf.hosts'],
] as const) {
  test(`what is refused in ${refused} does not stop ${other}`, async () => {
    const { witness, state, records, pass, look, add, lines } = await bed();
    state.brokers[refused] = 'refuse';
    for (let minute = 0; minute < 3; minute++) {
      await look();
      pass(60_000);
      await add(minute);
    }
    assert.equal(records(refused).length, 0);
    assert.equal(records(other).length, 3);
    const what = refused === 'bpf.hosts' ? 'heartbeats' : 'checkpoints';
    assert.deepEqual(lines, [`${what} are not sent`], 'said once');
    assert.deepEqual(witness.status, {
      heartbeats: what !== 'heartbeats',
      checkpoints: what !== 'checkpoints',
    });
    state.brokers[refused] = 'take';
    await look();
    assert.equal(records(refused).length, 1);
    assert.deepEqual(lines.slice(1), [`${what} are sent again`]);
    assert.deepEqual(witness.status, { heartbeats: true, checkpoints: true });
  });
}

test('a checkpoint that hangs holds up no heartbeat, and the other way round', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const [hung, other] of [
    ['bpf.checkpoints', 'bpf.hosts'],
    ['bpf.hosts', 'bpf.checkpoints'],
  ] as const) {
    const { witness, state, records, pass, add } = await bed();
    const ended = new AbortController();
    state.brokers[hung] = 'hang';
    void witness.run(ended.signal);
    for (let minute = 0; minute < 3; minute++) {
      await settled();
      assert.equal(records(other).length, minute + 1);
      await add(minute);
      pass(60_000);
      t.mock.timers.tick(1000);
    }
    ended.abort();
    assert.equal(records(hung).length, 0);
  }
});

test('an error of our own is said once, and it is tried again', async () => {
  const { state, beats, pass, look, lines } = await bed();
  state.fault = new TypeError('not read');
  for (let n = 0; n < 3; n++) {
    await look();
    pass(HEARTBEAT_MS);
  }
  assert.deepEqual(lines, ['heartbeats are not sent']);
  state.fault = null;
  await look();
  assert.equal(beats().length, 1);
});

test('the last words take 2 s at most, half of it for a checkpoint that hangs', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const one = await bed();
  one.state.brokers['bpf.checkpoints'] = 'hang';
  const finished = one.witness.finish();
  await settled();
  t.mock.timers.tick(LAST_MS / 2);
  await finished;
  assert.deepEqual(
    one.beats().map(({ state, checkpoint }) => [state, checkpoint]),
    [['stopped', 0]],
  );

  const both = await bed();
  both.state.brokers['bpf.checkpoints'] = 'hang';
  both.state.brokers['bpf.hosts'] = 'hang';
  let over = false;
  const ended = both.witness.finish().then(() => {
    over = true;
  });
  await settled();
  t.mock.timers.tick(LAST_MS / 2);
  await settled();
  assert.equal(over, false);
  t.mock.timers.tick(LAST_MS / 2);
  await ended;
  assert.deepEqual(both.lines, []);
});

test('nothing is sent after the end', async () => {
  const { witness, records, pass, look, add } = await bed();
  await witness.finish();
  const before = records('bpf.hosts').length + records('bpf.checkpoints').length;
  await add(2);
  pass(60_000);
  await look();
  assert.equal(records('bpf.hosts').length + records('bpf.checkpoints').length, before);
});

test('a clock that is set back makes no heartbeat that counts as an old one', async () => {
  const { witness, state, records, look } = await bed();
  const heartbeats = new Heartbeats(SIGNERS);
  await look();
  state.nowMs -= 5000;
  await witness.finish();
  for (const record of records('bpf.hosts')) assert.equal(heartbeats.add(record), null);
  assert.equal(heartbeats.last.get(HOST)?.heartbeat.state, 'stopped');
});

test('a clock that is set back an hour silences nobody: heartbeats go on', async () => {
  const { state, beats, look } = await bed();
  await look();
  state.nowMs -= 3_600_000;
  for (let n = 0; n < 3; n++) {
    state.nowMs += HEARTBEAT_MS;
    state.steadyMs += HEARTBEAT_MS;
    await look();
    assert.equal(beats().length, n + 2);
    assert.equal(beats().at(-1)?.madeMs, state.nowMs);
  }
});
