import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { KafkaLog } from '#log/kafka';
import { defaultPolicy } from '#policy';
import type { RedisView } from '#state/redis';
import { createLogger } from '#telemetry';
import { dose, waitFor } from '#testkit';
import { KafkaServer, RedisServer } from '#testkit/servers';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { Feed } from '../fleet/feed.ts';
import { type Fleet, freshFleet, viewOf } from '../fleet/servers.ts';
import { assertFolded, assertView, enriched } from '../fleet/truth.ts';
import { KEYS } from '../pipeline/live-fold.ts';

const kafka = await KafkaServer.start();
const redis = await RedisServer.start();
const admin = new Redis({ host: '127.0.0.1', port: redis.port, lazyConnect: true });
admin.on('error', () => undefined);
after(async () => {
  admin.disconnect();
  await Promise.all([kafka.stop(), redis.stop()]);
});

/** Before the fault, and after it. */
const EVENTS = dose === 'full' ? 20_000 : 500;

let fleet: Fleet;
let view: RedisView;
let log: KafkaLog;
let feed: Feed;
let enricher: FleetEnricher;

const start = () =>
  FleetEnricher.start({
    client: fleet.client,
    view,
    keys: KEYS,
    policy: defaultPolicy(),
    logger: createLogger({ level: process.env.WARDEN_LOG_LEVEL ?? 'silent', name: 'chaos' }),
    now: () => Date.now(),
  });

/** A fleet of its own, in which somebody was scored already. */
beforeEach(async () => {
  const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  fleet = await freshFleet(servers, { partitions: 4 });
  view = viewOf(fleet);
  log = new KafkaLog(fleet.client);
  feed = await Feed.open(fleet.client);
  enricher = await start();
  await feed.send(EVENTS);
  await enriched(log, feed.events);
  await assertView(log, view);
});

const inState = (state: 'followed' | 'bypassed') =>
  enricher.status.length === 4 && enricher.status.every(({ redis: is }) => is === state);

/** Goes on folding, then everything is right: outputs, changelog, and Redis again. */
async function assertRight(): Promise<void> {
  await feed.send(EVENTS);
  await enriched(log, feed.events);
  await assertFolded(log, feed.events);
  await waitFor('a Redis that is followed', () => inState('followed'), 30_000);
  await assertView(log, view);
}

afterEach(async () => {
  await enricher.stop();
  await Promise.all([feed.close(), log.close(), view.close()]);
});

test('F09: FLUSHALL is seen at the next batch, and mended from the changelog', async () => {
  await admin.flushall();
  await assertRight();
});

test('F10: Redis is killed, and comes back empty', async () => {
  await redis.kill();
  await feed.send(200);
  await enriched(log, feed.events);
  await redis.restart();
  await assertRight();
});

test('F10: Redis hangs: nothing waits for it for long', async () => {
  redis.pause();
  try {
    await feed.send(200);
    await enriched(log, feed.events, 30_000);
  } finally {
    redis.resume();
  }
  await assertRight();
});

test('F10: an older copy comes back', async () => {
  const keys = await admin.keys(`${fleet.prefix}*`);
  const copies = await Promise.all(keys.map(async (key) => [key, await admin.dumpBuffer(key)]));
  await feed.send(200);
  await enriched(log, feed.events);
  await assertView(log, view);
  for (const [key, copy] of copies) {
    await admin.restore(key as string, 0, copy as Buffer, 'REPLACE');
  }
  await assertRight();
});

test('F10: a raised value is refused, also by one who begins anew', async () => {
  const [key] = await admin.keys(`${fleet.prefix}trust:*`);
  assert.ok(key);
  const owners = async () => {
    const all = await admin.keys(`${fleet.prefix}trust:*`);
    const fields = await Promise.all(
      all.map(async (one) => (await admin.hkeys(one)).map((field) => ({ key: one, field }))),
    );
    return fields.flat().filter(({ field }) => field.includes('@') && field.length > 1);
  };
  const all = await owners();
  assert.ok(all.length >= 2);
  // Another principal's state, MAC and all, and a state with some bytes changed.
  const [from, to] = all as [(typeof all)[number], (typeof all)[number]];
  const good = (await admin.hgetBuffer(from.key, from.field)) as Buffer;
  await admin.hset(to.key, to.field, good);
  good[good.length - 1] = (good.at(-1) ?? 0) ^ 1;
  await admin.hset(from.key, from.field, good);
  await enricher.stop();
  enricher = await start();
  await assertRight();
});
