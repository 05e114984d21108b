import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode, schemaOf } from '#event';
import { IdempotentWriter, type Outgoing } from '#log/kafka';
import { createLogger } from '#telemetry';
import { dose, waitFor } from '#testkit';
import type { FleetEnricher } from '../../services/enricher/fleet.ts';
import { assertFolded, endOf, enriched, enrichedIds, recordsOf } from '../fleet/truth.ts';
import { Bed, centre } from './bed.ts';

const shared = await centre();
after(() => shared.stop());

const full = dose === 'full';
const HOUR_MS = 3_600_000;
/** Events before, in and after the hole. */
const LOST = full ? 10_000 : 200;
/** How long an enricher may take to catch up. */
const LATE_MS = full ? 300_000 : 60_000;
/** Of a member that comes and goes: long beside what joining takes on a busy machine. */
const STAY_MS = 6000;
const YEARS_MS = 10 * 365 * 24 * HOUR_MS;

/** Waits until every partition has folded what is in `bpf.events`, as far as it may be seen. */
async function folded({ log }: Bed): Promise<void> {
  const partitions = await log.partitions('bpf.events');
  for (let partition = 0; partition < partitions; partition++) {
    const place = { topic: 'bpf.events', partition } as const;
    const isDone = async () => {
      const at = Math.max((await log.committed('enricher', place)) ?? 0, await log.start(place));
      const { records } = await log.readSparse(place, at, { records: 1, bytes: 0 });
      return records.length === 0;
    };
    await waitFor(`partition ${partition} folded`, isDone, 30_000);
  }
}

test('F11: frames that come twice, and all of it again from offset 0', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  const first = await bed.enricher();
  await bed.feed.send(full ? 50_000 : 3000);
  const writer = new IdempotentWriter(bed.fleet.client);
  t.after(() => writer.close());
  const sent = (await recordsOf(bed.log, 'bpf.events')).flatMap((records, partition) =>
    records.map((record) => ({ ...record, topic: 'bpf.events', partition }) as const),
  );
  const again: Outgoing[] = sent.filter((_, n) => n % 5 === 0);
  assert.ok(again.length > 0);
  await writer.send(again);
  await folded(bed);
  await bed.assertRight();
  const outputs = await endOf(bed.log, 'bpf.enriched');
  await bed.end(first);
  // Nobody is in the group: its place can be set.
  const admin = bed.fleet.client.kafka.admin();
  await admin.connect();
  const partitions = [0, 1, 2, 3].map((partition) => ({ partition, offset: '0' }));
  const groupId = bed.fleet.client.named('enricher');
  await admin.setOffsets({ groupId, topic: bed.fleet.client.topic('bpf.events'), partitions });
  await admin.disconnect();
  await bed.enricher();
  await folded(bed);
  assert.equal(await endOf(bed.log, 'bpf.enriched'), outputs, 'a repeat has made an output');
  await bed.assertRight();
});

test('F13: clocks of hosts and of the enricher that jump: order is by sequence', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  let offMs = 0;
  await bed.enricher({ ...bed.parts(), now: () => Date.now() + offMs });
  for (const skewMs of [0, HOUR_MS, -HOUR_MS, YEARS_MS, -YEARS_MS, 0]) {
    offMs = -skewMs;
    await bed.feed.add(full ? 5000 : 100, { skewMs });
    await bed.feed.send(0);
    await enriched(bed.log, bed.feed.events);
  }
  await assertFolded(bed.log, bed.feed.events);
  const sequences = new Map<number, number>();
  for (const { value, lane } of (await recordsOf(bed.log, 'bpf.enriched')).flat()) {
    const { sequence } = decode('Enriched', value as Uint8Array);
    assert.equal(sequence, sequences.get(lane) ?? 0, `lane ${lane}`);
    sequences.set(lane, sequence + 1);
  }
  // What a fold takes for the time of an act is never behind the log's, nor runs backwards.
  const times = new Map<string, number>();
  for (const { key, value, appendedMs } of (await recordsOf(bed.log, 'bpf.signals')).flat()) {
    const bytes = value as Uint8Array;
    const { timeMs } =
      schemaOf(bytes) === 'Signal' ? decode('Signal', bytes) : decode('Control', bytes);
    assert.ok(timeMs <= appendedMs, `${timeMs} lies behind ${appendedMs}`);
    assert.ok(timeMs >= (times.get(key) ?? 0), 'time runs backwards');
    times.set(key, timeMs);
  }
});

/** Of all partitions, those that somebody folds now. */
function liveShare(enrichers: ReadonlySet<FleetEnricher>): number {
  const live = [...enrichers].flatMap(({ status }) =>
    status.filter(({ phase }) => phase === 'live').map(({ partition }) => partition),
  );
  return new Set(live).size / 4;
}

test('F19: members that come and go: the same state, and most of the time live', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  await bed.enricher();
  await bed.feed.send(100);
  await enriched(bed.log, bed.feed.events);
  const shares: number[] = [];
  const timer = setInterval(() => shares.push(liveShare(bed.enrichers)), 50);
  for (let n = 0; n < (full ? 120 : 3); n++) {
    const guest = await bed.enricher();
    await bed.feed.send(200);
    await sleep(STAY_MS);
    await bed.end(guest);
    await bed.feed.send(200);
  }
  clearInterval(timer);
  const mean = shares.reduce((sum, one) => sum + one, 0) / shares.length;
  console.log(`live on average: ${(100 * mean).toFixed(0)} % of the partitions`);
  assert.ok(mean > 0.9, `${mean}`);
  await bed.assertRight();
});

test('F28: brokers that lost records: the exact range of each lane is a finding', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  const first = await bed.enricher();
  await bed.feed.send(LOST);
  await enriched(bed.log, bed.feed.events);
  await bed.end(first);
  const before = new Set(await enrichedIds(bed.log));
  await bed.feed.send(LOST);
  const admin = bed.fleet.client.kafka.admin();
  await admin.connect();
  const topic = bed.fleet.client.topic('bpf.events');
  const ends = await admin.fetchTopicOffsets(topic);
  const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
  await admin.deleteTopicRecords({ topic, partitions });
  await admin.disconnect();
  await bed.feed.send(LOST);
  const said: { code?: string; why?: string; lane?: number }[] = [];
  const logger = createLogger({ level: 'silent', name: 'chaos' });
  logger.warn = (fault: object) => said.push(fault);
  await bed.enricher(bed.parts(bed.fleet.client, logger));
  await folded(bed);
  const gaps = said.filter(({ code }) => code === 'SEQUENCE_GAP');
  const found = gaps.map(({ why }) =>
    Number(/^(\d+) missing/.exec(why ?? '')?.[1] ?? /(\d+) missing/.exec(why ?? '')?.[1]),
  );
  const missing = found.reduce((sum, one) => sum + one, 0);
  assert.ok(missing > 0);
  // A commit is answered before all of it can be read.
  await enriched(bed.log, bed.feed.events - missing);
  const ids = await enrichedIds(bed.log);
  assert.equal(bed.feed.events - ids.length, missing, 'what is missing is said');
  for (const { lane, why } of gaps) {
    const [, from, to] = /expected (\d+), found (\d+)/.exec(why ?? '') ?? [];
    const own = ids
      .filter((id) => id.split('/')[2] === `${lane}`)
      .map((id) => Number(id.split('/')[3]));
    for (let n = Number(from); n < Number(to); n++) assert.ok(!own.includes(n));
    assert.ok(own.includes(Number(to)));
    assert.ok(Number(from) === 0 || own.includes(Number(from) - 1));
  }
  assert.ok(said.some(({ code }) => code === 'TRIMMED'));
  assert.ok([...before].every((id) => ids.includes(id)));
});

test('F20: an enricher that falls behind: it says how far, and catches up', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  const first = await bed.enricher();
  await bed.feed.send(100);
  await enriched(bed.log, bed.feed.events);
  const lagOf = ({ status }: FleetEnricher) => status.reduce((sum, { lag }) => sum + lag, 0);
  await waitFor('no lag', () => lagOf(first) === 0);
  await bed.end(first);
  await bed.feed.send(full ? 200_000 : 4000);
  const second = await bed.enricher();
  await waitFor('a lag that is told', () => lagOf(second) > 50, 30_000);
  await waitFor('no lag again', () => lagOf(second) === 0 && second.status.length === 4, LATE_MS);
  await bed.assertRight();
});
