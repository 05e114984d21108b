import assert from 'node:assert/strict';
import test from 'node:test';
import { KafkaClient } from '#log/kafka';
import { openMemoryStore } from '#state';
import { createLogger } from '#telemetry';
import {
  AGE_MAX_MS,
  FORWARDER_POSITION,
  Forwarder,
} from '../../../services/collector/forwarder.ts';

const logger = createLogger({ level: 'silent', name: 'test' });
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
