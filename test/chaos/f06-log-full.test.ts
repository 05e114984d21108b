import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode, type Event, schemaOf } from '#event';
import { KafkaLog } from '#log/kafka';
import { dose, place, run, Warden, waitFor, workload } from '#testkit';
import { freePorts, KafkaServer } from '#testkit/servers';
import { Service } from '../fleet/process.ts';
import { freshFleet } from '../fleet/servers.ts';
import { recordsOf } from '../fleet/truth.ts';

const full = dose === 'full';
const LOG_BYTES = full ? 256 * 1024 * 1024 : 8 * 1024 * 1024;
const STORM = ['2', full ? '400000' : '20000'];
const HOST = 'web-1';

interface Status {
  readonly bytes: number;
  readonly lag: number;
}

async function statusOf(port: number): Promise<Status | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    return ((await answer.json()) as { status: Status }).status;
  } catch {
    return null;
  }
}

const detail = ({ details }: Event, key: string) =>
  details.find((one) => one.key === key)?.value ?? '';

/** Every event that the host has sent, once: what is sent again is the same frame. */
async function eventsOf(log: KafkaLog): Promise<Event[]> {
  const frames = new Map<string, Event[]>();
  for (const { value } of (await recordsOf(log, 'bpf.events')).flat()) {
    if (value === null || schemaOf(value) !== 'Frame') continue;
    const { incarnation, lane, first, events } = decode('Frame', value);
    const key = `${incarnation}/${lane}/${first}`;
    frames.set(
      key,
      events.map((bytes) => decode('Event', bytes)),
    );
  }
  return [...frames.values()].flat();
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

const declared = (event: Event) => detail(event, 'why') === 'the local log was full';

/** What the storms did is stored or declared lost, act by act; only bulk was shed. */
function assertDeclared(
  events: readonly Event[],
  storms: readonly Awaited<ReturnType<typeof workload>>[],
): void {
  const losses = events.filter(({ act }) => act.command === 'LOSS');
  const shed = sum(losses.filter(declared).map(({ act }) => act.count));
  const lost = sum(losses.map(({ act }) => act.count));
  const pids = new Set(storms.map(({ pid }) => pid));
  const stored = events.filter(({ process }) => pids.has(process?.pid ?? 0));
  const made = sum(storms.flatMap(({ acts }) => acts.map(({ count }) => Number(count))));
  assert.ok(shed > 0, 'nothing was shed');
  for (const one of losses.filter(declared)) assert.equal(detail(one, 'ring'), 'bulk');
  assert.equal(sum(stored.map(({ act }) => act.count)) + lost, made);
  console.log(`${made} acts: ${made - lost} stored, ${shed} shed, ${lost - shed} lost by rings`);
}

test('F06: brokers down until the log is full: bulk is shed, each hole declared', async () => {
  const at = place('log-full');
  const kafka = await KafkaServer.start();
  const servers = { kafka: kafka.addresses, redisPort: 1, stop: async () => undefined };
  const fleet = await freshFleet(servers, { partitions: 4 });
  const enroll = ['host', 'enroll', HOST, '--state', join(at.root, 'fleet'), '--out', at.state];
  assert.equal((await run('./warden', enroll)).code, 0);
  const [health = 0] = await freePorts(1);
  await kafka.kill();
  const host = new Service(['collector', '--state', at.state], {
    WARDEN_KAFKA: kafka.addresses.join(','),
    WARDEN_FLEET: fleet.prefix.slice(0, -1),
    WARDEN_RUN: at.run,
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_HOST: HOST,
    WARDEN_HEALTH: `127.0.0.1:${health}`,
    WARDEN_LOG_BYTES: `${LOG_BYTES}`,
  });
  const log = new KafkaLog(fleet.client);
  const ready = async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).status;
  const status = async () => {
    assert.ok(host.isRunning, 'the host has ended');
    return statusOf(health);
  };
  try {
    await waitFor('a host that stores', async () => (await status())?.lag, 60_000);
    assert.equal(await ready(), 503, 'no tiers come in');
    const storms = [];
    let bytes = 0;
    while (bytes < LOG_BYTES && storms.length < 20) {
      storms.push(await workload('storm', STORM));
      await sleep(1000);
      bytes = (await status())?.bytes ?? 0;
    }
    // Once more, with the log as full as it gets.
    storms.push(await workload('storm', STORM));
    await sleep(1000);
    const fullest = (await status())?.bytes ?? 0;
    console.log(`${storms.length} storms: ${(fullest / LOG_BYTES).toFixed(2)} of the bound`);
    // The write-ahead file comes on top, until it is checkpointed.
    assert.ok(bytes >= LOG_BYTES && fullest < 1.25 * LOG_BYTES + 16 * 1024 * 1024, `${fullest}`);
    await kafka.restart();
    await waitFor('all of it sent', async () => (await status())?.lag === 0, 60_000);
    await waitFor('a host that is ready', async () => (await ready()) === 200, 60_000);
    await waitFor('the loss', async () => (await eventsOf(log)).some(declared), 60_000);
    assert.equal(await host.stop(), 0, host.said);
    assertDeclared(await eventsOf(log), storms);
  } catch (error) {
    console.log(host.said);
    throw error;
  } finally {
    await host.stop();
    Warden.unload(at);
    await log.close();
    await kafka.stop();
    at.remove();
  }
});
