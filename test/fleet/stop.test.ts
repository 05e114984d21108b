import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { place, run, waitFor } from '#testkit';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import { Service } from './process.ts';
import { environment, freshFleet } from './servers.ts';

const HOST = 'web-1';
const TEMPORARY = 75;
/** After which containers and units are killed. */
const GRACE_MS = 10_000;

/** Servers of its own: they are taken away. */
const kafka = await KafkaServer.start();
const redis = await RedisServer.start();
const at = place('fleet-stop');
after(async () => {
  await Promise.all([kafka.stop(), redis.stop()]);
  at.remove();
});

// The fleet's own key is made with the first host's.
const enrolled = await run('./warden', [
  'host',
  'enroll',
  HOST,
  '--state',
  at.state,
  '--out',
  at.root,
]);
assert.equal(enrolled.code, 0, enrolled.stderr);

/** Folds all partitions. Killed at the end of the test, however that went. */
async function enricher(t: TestContext): Promise<Service> {
  const on = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(on, { partitions: 4 });
  const [port = 0] = await freePorts(1);
  const health = `127.0.0.1:${port}`;
  const env = { ...environment(fleet, at, HOST), WARDEN_HEALTH: health };
  const service = new Service(['enricher', '--state', at.state], env);
  t.after(() => service.kill());
  const isLive = () => fetch(`http://${health}/readyz`).then(({ ok }) => ok);
  await waitFor('all partitions, live', () => isLive().catch(() => false));
  return service;
}

test('told to stop, an enricher ends at once', async (t) => {
  const service = await enricher(t);
  assert.equal(await service.stop(), 0, service.said);
});

test('told to stop while all brokers are down, it ends before it would be killed', async (t) => {
  const service = await enricher(t);
  await kafka.kill();
  const fromMs = Date.now();
  const code = await service.stop();
  const tookMs = Date.now() - fromMs;
  assert.ok(tookMs < GRACE_MS, `${tookMs} ms`);
  // Either way it ends; what hangs at the brokers is said.
  const said = /the brokers do not answer/.test(service.said);
  assert.equal(code, said ? TEMPORARY : 0, service.said);
});
