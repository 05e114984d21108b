import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KafkaClient } from '#log/kafka';
import { openSqliteStore } from '#state';
import { dose, place, waitFor } from '#testkit';
import { Partition } from '../../services/enricher/partition.ts';
import { Feed } from '../fleet/feed.ts';
import { enriched } from '../fleet/truth.ts';
import { Bed, centre } from './bed.ts';
import { END_TXN } from './faulty-path.ts';

const shared = await centre();
after(() => shared.stop());
const { kafka, proxy, front } = shared;

const full = dose === 'full';
const LIVE = { perSecond: 200, batch: 20 } as const;
const MIB = 1024 * 1024;
const GROWTH_MAX = 32 * MIB;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that are held: what V8 keeps of a heap that was larger once says nothing. */
function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Stores events at the live rate for so long. */
async function live({ feed }: Bed, seconds: number): Promise<void> {
  const startMs = Date.now();
  for (let n = 0; n < (seconds * LIVE.perSecond) / LIVE.batch; n++) {
    await feed.add(LIVE.batch);
    const dueMs = startMs + ((n + 1) * LIVE.batch * 1000) / LIVE.perSecond;
    await sleep(Math.max(0, dueMs - Date.now()));
  }
}

/** Opens a fleet and forwards beside what is done with it. */
async function forwarding(bed: Bed, work: () => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const forwarder = bed.feed.forward(ended.signal);
  try {
    await work();
    await waitFor('all sent', async () => (await bed.feed.lag()) === 0, 60_000);
  } finally {
    ended.abort();
    await forwarder;
  }
}

/** Seconds from the first record of the backlog that is sent to the last. */
async function drain({ feed }: Bed, backlog: number): Promise<number> {
  await waitFor('the first that is sent', async () => (await feed.lag()) < backlog, 60_000);
  const startMs = Date.now();
  await waitFor('a backlog that drains', async () => (await feed.lag()) === 0, 60_000);
  return (Date.now() - startMs) / 1000 + 0.02;
}

const timesOf = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((sum, times) => sum + times, 0);

test('F05: all brokers down: nothing is lost, memory is bounded, the backlog drains', async (t) => {
  const at = place('f05');
  mkdirSync(at.state);
  // As a host has it: in memory the log itself would be what grows.
  const bed = await Bed.open(shared, { store: openSqliteStore(at.database) });
  t.after(async () => {
    await bed.close();
    at.remove();
  });
  await bed.enricher();
  await forwarding(bed, async () => {
    await live(bed, 1);
    const [before, resident] = [held(), process.memoryUsage().rss];
    await kafka.kill();
    await live(bed, full ? 3600 : 5);
    const growth = held() - before;
    const more = process.memoryUsage().rss - resident;
    console.log(
      `# ${(growth / MIB).toFixed(1)} MiB more held, ${(more / MIB).toFixed(1)} resident`,
    );
    assert.ok(growth < GROWTH_MAX, `${growth} bytes more`);
    const backlog = await bed.feed.lag();
    assert.ok(backlog > 0);
    // Watched from before the restart: it may be drained when that says that the broker is up.
    const drained = drain(bed, backlog);
    await kafka.restart();
    const seconds = await drained;
    console.log(`${backlog} records drained in ${seconds.toFixed(2)} s`);
    // A record is a frame of some events: in events it is more than that.
    assert.ok(backlog / seconds > 5 * (LIVE.perSecond / LIVE.batch));
    await enriched(bed.log, bed.feed.events);
    const liveMs = Date.now();
    await bed.feed.add(50);
    await enriched(bed.log, bed.feed.events);
    assert.ok(Date.now() - liveMs < 5000, 'live events wait');
  });
  await bed.assertRight();
});

test('F17: the network to Kafka cut, and held one way: no loss, no effect twice', async (t) => {
  const bed = await Bed.open(shared, { front: true });
  t.after(() => bed.close());
  await bed.enricher();
  await forwarding(bed, async () => {
    await live(bed, 0.5);
    const faults = [() => proxy.cut(), () => proxy.hold('up'), () => proxy.hold('down')];
    for (let n = 0; n < (full ? 600 : 3); n++) {
      faults[n % faults.length]?.();
      await live(bed, 1);
      proxy.open();
      await live(bed, 0.3);
    }
  });
  await bed.assertRight();
});

test('F16: two enrichers own the same partitions; one with its EndTxn on the way', async (t) => {
  const bed = await Bed.open(shared);
  t.after(() => bed.close());
  const through = { ...bed.fleet.settings, brokers: [`127.0.0.1:${front}`] };
  const own = (client: KafkaClient) => [0, 1, 2, 3].map((n) => new Partition(n, bed.parts(client)));
  const first = own(new KafkaClient(through));
  t.after(() => Promise.all(first.map((partition) => partition.stop())));
  const restarts = () => first.reduce((sum, { status }) => sum + timesOf(status.restarts), 0);
  await bed.feed.send(300);
  await enriched(bed.log, bed.feed.events);
  for (let n = 0; n < (full ? 200 : 2); n++) {
    const before = restarts();
    const caught = proxy.holdRequests(END_TXN);
    await bed.feed.send(100);
    await caught;
    const second = own(bed.fleet.client);
    await bed.feed.send(100);
    await enriched(bed.log, bed.feed.events);
    // What was on the way arrives: it must commit nothing.
    proxy.open();
    await waitFor('the loser hears of it', () => restarts() > before);
    for (const partition of second) await partition.stop();
    await bed.feed.send(100);
    await enriched(bed.log, bed.feed.events);
  }
  for (const partition of first) await partition.stop();
  await bed.assertRight();
});

test('F21: hosts that come back at once: 95 % connected within two minutes', async (t) => {
  const bed = await Bed.open(shared);
  const hosts = await Promise.all(
    Array.from({ length: full ? 1000 : 200 }, () => Feed.open(new KafkaClient(bed.fleet.settings))),
  );
  const ended = new AbortController();
  const forwarders = hosts.map((host) => host.forward(ended.signal));
  t.after(async () => {
    ended.abort();
    await Promise.all(forwarders);
    await Promise.all([bed.close(), ...hosts.map((host) => host.close())]);
  });
  const done = async () => {
    const lags = await Promise.all(hosts.map((host) => host.lag()));
    return lags.filter((lag) => lag === 0).length >= 0.95 * hosts.length;
  };
  for (const host of hosts) await host.add(1);
  await waitFor('hosts that are connected', done, 120_000);
  await kafka.kill();
  for (const host of hosts) await host.add(1);
  await sleep(1000);
  await kafka.restart();
  const pid = kafka.pidOf();
  const startMs = Date.now();
  await waitFor('hosts that are back', done, 120_000);
  console.log(`95 % of ${hosts.length} back after ${(Date.now() - startMs) / 1000} s`);
  assert.equal(kafka.pidOf(), pid);
  process.kill(pid, 0);
});
