import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { decode, type Event, hostName, incarnation } from '#event';
import { KafkaLog } from '#log/kafka';
import { defaultPolicy } from '#policy';
import { openMemoryStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { seed, waitFor } from '#testkit';
import { Forwarder } from '../../services/collector/forwarder.ts';
import { Lanes } from '../../services/collector/lanes.ts';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { eventOf, HOST, HOST_KEY, KEYS, made } from '../pipeline/live-fold.ts';
import { freshFleet, servers, viewOf } from './servers.ts';
import { assertFolded, enrichedIds } from './truth.ts';

const real = await servers();
after(() => real.stop());
const logger = createLogger({ level: process.env.WARDEN_LOG_LEVEL ?? 'error', name: 'test' });

/** A host's local log with these events, each batch a commit. */
async function hostWith(batches: readonly (readonly Event[])[]): Promise<Store> {
  const store = openMemoryStore();
  const life = incarnation('00000000000000aa');
  const lanes = await Lanes.open(store, { host: hostName(HOST), incarnation: life, key: HOST_KEY });
  for (const events of batches) {
    const { outputs, state } = lanes.seal(events);
    await store.commit({ outputs, state, position: [] });
  }
  return store;
}

test('a host, Kafka, two enrichers: each event once, the state as the log says', async () => {
  console.log(`seed ${seed}`);
  const fleet = await freshFleet(real, { partitions: 4 });
  const nowMs = Date.now();
  const [items = []] = fc.sample(fc.array(made, { minLength: 2000, maxLength: 2000 }), { seed });
  const events = items.map((item) => eventOf(item, nowMs));
  const batches = Array.from({ length: 40 }, (_, n) => events.slice(n * 50, n * 50 + 50));
  const store = await hostWith(batches);
  const view = viewOf(fleet);
  const parts = { client: fleet.client, view, keys: KEYS, policy: defaultPolicy(), logger };
  const start = () => FleetEnricher.start({ ...parts, now: () => Date.now() });
  const enrichers = [await start()];
  const forwarder = await Forwarder.open({ store, client: fleet.client, logger });
  while (await forwarder.step());
  enrichers.push(await start());
  const log = new KafkaLog(fleet.client);
  const arrived = async () => (await enrichedIds(log)).length >= events.length;
  await waitFor('all events in bpf.enriched', arrived, 60_000);
  await assertFolded(log, events.length);
  const tiers = await log.readSparse({ topic: 'bpf.tiers', partition: 0 }, 0, {
    records: 1000,
    bytes: 1 << 20,
  });
  assert.ok(tiers.records.length > 0, 'somebody was lowered');
  for (const { value } of tiers.records) assert.ok(value !== null && decode('Tier', value));
  for (const enricher of enrichers) await enricher.stop();
  await Promise.all([forwarder.close(), log.close(), view.close(), store.close()]);
});
