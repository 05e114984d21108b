import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dose, waitFor } from '#testkit';
import { endOf } from '../fleet/truth.ts';
import { Bed, centre } from './bed.ts';

const BROKERS = 3;
const KILLS = dose === 'full' ? 50 : 1;
const STALL_MAX_MS = 30_000;

const shared = await centre(BROKERS);
after(() => shared.stop());
const { kafka } = shared;

test('F04: a leader killed, 1 of 3: no loss, no reorder, a short stall', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  await bed.enricher();
  const ended = new AbortController();
  const forwarder = bed.feed.forward(ended.signal);
  await bed.feed.add(200);
  await waitFor('the first events', async () => (await bed.feed.lag()) === 0, 60_000);
  const admin = bed.fleet.client.kafka.admin();
  await admin.connect();
  const topics = [bed.fleet.client.topic('bpf.events')];
  for (let n = 0; n < KILLS; n++) {
    const { topics: found } = await admin.fetchTopicMetadata({ topics });
    const leader = found[0]?.partitions.find(({ partitionId }) => partitionId === n % 4)?.leader;
    assert.ok(leader !== undefined && leader > 0);
    await kafka.kill(leader - 1);
    const startMs = Date.now();
    const before = await endOf(bed.log, 'bpf.enriched');
    await bed.feed.add(200);
    await waitFor('all sent', async () => (await bed.feed.lag()) === 0, STALL_MAX_MS);
    console.log(`broker ${leader} killed: all acknowledged after ${Date.now() - startMs} ms`);
    const more = async () => (await endOf(bed.log, 'bpf.enriched')) > before;
    await waitFor('events that are folded', more, STALL_MAX_MS);
    console.log(`folded after ${Date.now() - startMs} ms`);
    await kafka.restart(leader - 1);
    await sleep(dose === 'full' ? 5000 : 0);
  }
  await admin.disconnect();
  ended.abort();
  await forwarder;
  await bed.assertRight();
});
