import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { place, run, waitFor } from '#testkit';
import { KafkaServer, RedisServer } from '#testkit/servers';
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

async function enricher(): Promise<Service> {
  const on = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(on, { partitions: 4 });
  const env = environment(fleet, at, HOST);
  const service = new Service(['enricher', '--state', at.state], env);
  await waitFor('its partitions', () => service.said.includes('partitions of this enricher'));
  return service;
}

test('told to stop, an enricher ends at once', async () => {
  const service = await enricher();
  assert.equal(await service.stop(), 0, service.said);
});

test('told to stop while all brokers are down, it ends before it would be killed', async () => {
  const service = await enricher();
  await kafka.kill();
  const fromMs = Date.now();
  assert.equal(await service.stop(), TEMPORARY, service.said);
  const tookMs = Date.now() - fromMs;
  assert.ok(tookMs < GRACE_MS, `${tookMs} ms`);
  assert.match(service.said, /the brokers do not answer/);
});
