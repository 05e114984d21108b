import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { decode } from '#event';
import { KafkaLog } from '#log/kafka';
import { defaultPolicy } from '#policy';
import { createLogger } from '#telemetry';
import { seed } from '#testkit';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { KEYS } from '../pipeline/live-fold.ts';
import { Feed } from './feed.ts';
import { freshFleet, servers, viewOf } from './servers.ts';
import { assertFolded, assertView, enriched } from './truth.ts';

const real = await servers();
after(() => real.stop());
const logger = createLogger({ level: process.env.WARDEN_LOG_LEVEL ?? 'error', name: 'test' });

test('a host, Kafka, two enrichers: each event once, the state as the log says', async (t) => {
  console.log(`seed ${seed}`);
  const fleet = await freshFleet(real, { partitions: 4 });
  const feed = await Feed.open(fleet.client);
  const view = viewOf(fleet);
  const parts = { client: fleet.client, view, keys: KEYS, policy: defaultPolicy(), logger };
  const start = () => FleetEnricher.start({ ...parts, now: () => Date.now() });
  const log = new KafkaLog(fleet.client);
  const enrichers = [await start()];
  t.after(async () => {
    for (const enricher of enrichers) await enricher.stop();
    await Promise.all([feed.close(), log.close(), view.close()]);
  });
  await feed.send(1000);
  enrichers.push(await start());
  await feed.send(1000);
  await enriched(log, feed.events);
  await assertFolded(log, feed.events);
  await assertView(log, view);
  const tiers = await log.readSparse({ topic: 'bpf.tiers', partition: 0 }, 0, {
    records: 1000,
    bytes: 1 << 20,
  });
  assert.ok(tiers.records.length > 0, 'somebody was lowered');
  for (const { value } of tiers.records) assert.ok(value !== null && decode('Tier', value));
});
