import { type ChildProcess, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { deriveHostKey } from '#chain';
import { type Event, type HostName, hostName, incarnation, principalKey } from '#event';
import { defaultPolicy } from '#policy';
import { openMemoryStore, openSqliteStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { waitFor } from '#testkit';
import { Forwarder } from '../../../services/collector/forwarder.ts';
import { Lanes } from '../../../services/collector/lanes.ts';
import { Follower } from '../../fleet/follower.ts';
import { KernelMaps } from '../../fleet/kernel-maps.ts';
import type { BenchCentre } from './centre.ts';
import { FLEET_KEY } from './keys.ts';
import { actOf, FIRST_UID } from './load.ts';

/** Whose events `measureForwarding` takes. */
export const FORWARDING = hostName('probe');
const PEOPLE = 50;
/** Events of a commit of the collector that drains a full ring: what 512 KiB of it hold. */
export const BATCH = 1000;
/** Of the events so many come first, unmeasured: the code is still being compiled. */
const WARM = 0.25;

/** A host's user half behind the rings: lanes, the log in a file, the forwarder. */
class Sender {
  readonly store: Store;
  private readonly lanes: Lanes;
  private readonly forwarder: Forwarder;
  private readonly ended = new AbortController();
  private readonly work: Promise<void>;

  private constructor(store: Store, lanes: Lanes, forwarder: Forwarder) {
    this.store = store;
    this.lanes = lanes;
    this.forwarder = forwarder;
    this.work = forwarder.run(this.ended.signal);
  }

  /** `life`: names the log file; each is another life of the host. */
  static async open(
    { at, fleet: { client } }: BenchCentre,
    host: HostName,
    life: string,
  ): Promise<Sender> {
    mkdirSync(at.state, { recursive: true });
    const store = openSqliteStore(join(at.state, `${life}.db`));
    const key = deriveHostKey(FLEET_KEY, host);
    const id = incarnation(hash('sha256', life).slice(0, 16));
    const lanes = await Lanes.open(store, { host, incarnation: id, key });
    const logger = createLogger({ level: 'error', name: 'bench' });
    return new Sender(
      store,
      lanes,
      await Forwarder.open({ store, client, logger, onAged: () => undefined, now: Date.now }),
    );
  }

  async add(events: readonly Event[]): Promise<void> {
    const { outputs, state } = this.lanes.seal(events);
    await this.store.commit({ outputs, state, position: [] });
  }

  lag(): Promise<number> {
    return this.forwarder.lag();
  }

  async close(): Promise<void> {
    this.ended.abort();
    await this.work;
    await this.forwarder.close();
    await this.store.close();
  }
}

/** What a host's way to the broker came to. */
export interface Forwarded {
  readonly perSecond: number;
  /** Microseconds of processor an event, all threads of this process. */
  readonly cpuUs: number;
}

/**
 * From the sealing of a batch until Kafka has acknowledged all of it: `count` events in batches of
 * a full ring, `events` of them over and over, so that it is not a large heap that is measured.
 */
export async function measureForwarding(
  centre: BenchCentre,
  { events, count, life }: { events: readonly Event[]; count: number; life: string },
): Promise<Forwarded> {
  const sender = await Sender.open(centre, FORWARDING, life);
  const run = async (batches: number) => {
    for (let n = 0; n < batches; n++) {
      const at = (n * BATCH) % events.length;
      await sender.add(events.slice(at, at + BATCH));
      // As the collector does between two of them.
      await turn();
    }
    await waitFor('all acknowledged', async () => (await sender.lag()) === 0, 600_000);
  };
  try {
    await run(Math.ceil((WARM * count) / BATCH));
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    await run(count / BATCH);
    const seconds = (performance.now() - startMs) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    return { perSecond: count / seconds, cpuUs: (user + system) / count };
  } finally {
    await sender.close();
  }
}

export interface LatencyOptions {
  readonly centre: BenchCentre;
  /** Of the probing host: events a second. */
  readonly perSecond: number;
  /** Of other hosts, straight into Kafka: events a second. */
  readonly beside: number;
  readonly seconds: number;
}

/** Lowerings a second, each of somebody new: their acts are among the host's events. */
const PROBES = 10;

/** From an act until its principal's tier is in the kernel's map, ms, as enforcers report it. */
export async function measureLatency(options: LatencyOptions): Promise<number[]> {
  const { centre, perSecond, beside, seconds } = options;
  const latencies: number[] = [];
  // A host of its own: one that was measured before has tiers, which a new enforcer sets late.
  const host = hostName(`latency-${beside}`);
  const sender = await Sender.open(centre, host, host);
  const maps = new KernelMaps(join(centre.at.root, `maps-${beside}`));
  const { breaker, ...rest } = defaultPolicy();
  const follower = new Follower({
    store: openMemoryStore(),
    client: centre.fleet.client,
    host,
    // All of them are lowered on purpose.
    policy: { ...rest, breaker: { ...breaker, principals: 1_000_000 } },
    maps: maps.pinsOf(0),
    append: ({ act, details }) => {
      const said = details.find(({ key }) => key === 'latency_ms')?.value;
      if (act.command === 'ENFORCED' && said !== undefined) latencies.push(Number(said));
    },
  });
  const ended = new AbortController();
  const following = follower.run(ended.signal);
  await waitFor('an enforcer that follows', () => follower.isOpen, 30_000);
  const feeder = beside > 0 ? feed(centre, beside) : null;
  try {
    await probe(sender, host, { perSecond, seconds });
    // A tier stands under two subjects: as the login's and as the process's.
    const wanted = 2 * PROBES * seconds;
    await waitFor('all tiers', () => latencies.length >= wanted, 120_000);
    if (latencies.length > wanted) throw new Error(`${latencies.length} tiers of ${wanted}`);
    return latencies;
  } finally {
    ended.abort();
    feeder?.kill('SIGKILL');
    await Promise.all([following, sender.close()]);
    await follower.close();
    maps.remove();
  }
}

const STEPS = 20;

async function probe(
  sender: Sender,
  host: HostName,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<void> {
  const uid = (n: number) => principalKey(`uid:${n}@${host}`);
  const startMs = performance.now();
  for (let step = 0; step < seconds * STEPS; step++) {
    const events = Array.from({ length: Math.round(perSecond / STEPS) }, (_, n) =>
      actOf(uid(n % PEOPLE), 'plain'),
    );
    if (step % (STEPS / PROBES) === 0) events.push(actOf(uid(FIRST_UID + step), 'hostile'));
    await sender.add(events);
    await sleep(Math.max(0, startMs + ((step + 1) * 1000) / STEPS - performance.now()));
  }
}

/** Other hosts beside the one that is measured. */
function feed({ fleet }: BenchCentre, perSecond: number): ChildProcess {
  const { prefix, settings } = fleet;
  const args = [settings.brokers.join(','), prefix, `${perSecond}`, '100000', '4'];
  const file = join(import.meta.dirname, 'feeder.ts');
  return spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}
