import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '#log';
import { KafkaClient } from '#log/kafka';
import { openMemoryStore } from '#state';
import { createLogger } from '#telemetry';
import {
  AGE_MAX_MS,
  FORWARDER_POSITION,
  Forwarder,
} from '../../../services/collector/forwarder.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
const HOUR_MS = 3_600_000;
const NOBODY = { brokers: ['127.0.0.1:9'], clientId: 'test', prefix: '', tls: null, user: null };
const record = (text: string) => {
  return { topic: 'bpf.events', lane: 0, key: '0', value: Buffer.from(text) } as const;
};

test('what nobody took for 30 days is given up, declared, and no more than that', async () => {
  let nowMs = 1_700_000_000_000;
  const store = openMemoryStore({ clock: () => nowMs });
  const client = new KafkaClient(NOBODY, logger);
  const aged: number[] = [];
  const onAged = (events: number) => aged.push(events);
  const forwarder = await Forwarder.open({ store, client, logger, onAged, now: () => nowMs });
  await store.commit({ outputs: [record('a'), record('b')], state: [], position: [] });
  nowMs += AGE_MAX_MS;
  await store.commit({ outputs: [record('c')], state: [], position: [] });
  nowMs += 1;
  assert.equal(await forwarder.step(), true);
  assert.deepEqual(aged, [2]);
  assert.equal(await store.position(FORWARDER_POSITION), 2n);
  assert.equal(await forwarder.lag(), 1);
  assert.equal(forwarder.status.sent, 0);
  await forwarder.close();
});

test('what was trimmed unsent is passed over, and said', async () => {
  const store = openMemoryStore();
  const client = new KafkaClient(NOBODY, logger);
  const position = [{ source: FORWARDER_POSITION, next: 1n }];
  const outputs = [record('a'), record('b'), record('c')];
  await store.commit({ outputs, state: [], position });
  await store.commit({ outputs: [], state: [], position: [{ source: 'fold', next: 2n }] });
  await store.snapshot('fold');
  await store.trim({ keepSnapshots: 1, maxBytes: 0 });
  const errors: string[] = [];
  const says = Object.assign(Object.create(logger), {
    error: (_: unknown, text: string) => errors.push(text),
  });
  const options = { store, client, logger: says, onAged: () => undefined, now: () => Date.now() };
  const forwarder = await Forwarder.open(options);
  assert.equal(forwarder.status.next, 2);
  assert.equal(await forwarder.lag(), 1);
  assert.deepEqual(errors, ['trimmed before they were sent: the fleet sees a gap']);
  await forwarder.close();
});

test('how long it is away does not depend on who sets the clock', async (t) => {
  const refuses = async () => {
    throw new LogError('UNREACHABLE', 'nobody is there');
  };
  const store = openMemoryStore();
  const log = Object.assign(Object.create(store.log), { read: refuses });
  const client = new KafkaClient(NOBODY, logger);
  const forwarder = await Forwarder.open({
    store: Object.assign(Object.create(store), { log }),
    client,
    logger,
    onAged: () => undefined,
    now: () => Date.now(),
  });
  t.mock.timers.enable({ apis: ['Date'], now: 2 * HOUR_MS });
  const ended = new AbortController();
  const running = forwarder.run(ended.signal);
  await sleep(5);
  const beforeMs = forwarder.status.awayMs;
  assert.ok(beforeMs > 0);
  t.mock.timers.setTime(HOUR_MS);
  await sleep(5);
  assert.ok(forwarder.status.awayMs > beforeMs);
  t.mock.timers.setTime(4 * HOUR_MS);
  assert.ok(forwarder.status.awayMs < HOUR_MS);
  ended.abort();
  await running;
  await forwarder.close();
});
