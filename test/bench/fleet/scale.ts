import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encode, hostName, laneOf, principalKey } from '#event';
import { IdempotentWriter, KafkaClient } from '#log/kafka';
import { defaultPolicy } from '#policy';
import { openMemoryStore } from '#state';
import { waitFor } from '#testkit';
import { Follower } from '../../fleet/follower.ts';
import { KernelMaps } from '../../fleet/kernel-maps.ts';
import type { BenchCentre, Drained } from './centre.ts';
import type { Load } from './load.ts';
import { cpuSeconds, residentMb } from './process.ts';

/** What a fleet of so many principals costs. */
export interface Stage extends Drained {
  readonly principals: number;
  /** Until all partitions are folded, less what the process stood in line for a processor. */
  readonly liveSeconds: number;
  /** Of Redis, for each principal above those of the first stage, with its hosts; 0 there. */
  readonly redisBytes: number;
  readonly enricherMb: number;
}

export interface ScaleOptions {
  readonly centre: BenchCentre;
  readonly load: Load;
  readonly partitions: number;
  /** Principals of each stage, growing. */
  readonly stages: readonly number[];
  /** Measured in each stage. */
  readonly events: number;
  readonly burst: number;
}

/** Folds the same number of events at each stage, with a process of its own. */
export async function measureStages(options: ScaleOptions): Promise<Stage[]> {
  const { centre, load, partitions, stages, events, burst } = options;
  const found: Stage[] = [];
  let known = 0;
  let first: { readonly bytes: number; readonly principals: number } | null = null;
  for (const principals of stages) {
    await introduce(options, known, principals);
    known = principals;
    await load.among(principals, events, burst);
    const enricher = await centre.enricher();
    const liveSeconds = (await enricher.live(partitions)) - enricher.queuedSeconds;
    const drained = await enricher.drain(events);
    const enricherMb = enricher.residentMb;
    await enricher.stop();
    const bytes = centre.redisBytes();
    first ??= { bytes, principals };
    const redisBytes = (bytes - first.bytes) / Math.max(1, principals - first.principals);
    found.push({ ...drained, principals, liveSeconds, redisBytes, enricherMb });
  }
  return found;
}

/** Makes principals known, in their own process: what that costs is not counted. */
async function introduce(
  { centre, load, partitions }: ScaleOptions,
  from: number,
  to: number,
): Promise<void> {
  await load.introduce(from, to);
  const enricher = await centre.enricher();
  await enricher.live(partitions);
  await enricher.drain(to - from);
  await enricher.stop();
}

/** Seconds of processor that a million events of a stage cost, of all parts together. */
export function costOf({ events, cpu }: Drained): number {
  return ((cpu.enricher + cpu.kafka + cpu.redis) / events) * 1e6;
}

export interface Connected {
  readonly hosts: number;
  /** Of the broker, for each host: memory, and permille of a core while nothing happens. */
  readonly brokerKb: number;
  readonly brokerPermille: number;
  /** Until the last of them had a tier in its map, from when it was in the log. */
  readonly lastMs: number;
}

export interface ConnectOptions {
  readonly centre: BenchCentre;
  readonly hosts: number;
  readonly restMs: number;
}

/** People of a realm are the same ones on every host. */
const REALM = { name: 'corp', first: 10_000, last: 59_999, managed: true };
const SOMEBODY = principalKey('uid:10001@corp');

/** Puts a lower tier of somebody of the realm into the log, as an enricher does. */
async function lower(client: KafkaClient): Promise<void> {
  const writer = new IdempotentWriter(client);
  const value = encode('Tier', {
    principal: SOMEBODY,
    tier: 'restricted',
    default: false,
    pinned: true,
    approved: false,
    trust: 0,
    cause: 'bench',
    causeTimeUs: Date.now() * 1000,
    reasons: [],
    reflex: null,
  });
  const lane = laneOf(SOMEBODY);
  await writer.send([{ topic: 'bpf.tiers', partition: 0, lane, key: SOMEBODY, value }]);
  await writer.close();
}

/**
 * Enforcers as agents run them, each with its connections and a map of this kernel, all in this
 * process; the broker sees as many hosts.
 */
export async function measureConnections(options: ConnectOptions): Promise<Connected> {
  const { centre, hosts, restMs } = options;
  const policy = { ...defaultPolicy(), realms: [REALM] };
  const { kafka, fleet, at } = centre;
  const broker = [kafka.pidOf()];
  const ended = new AbortController();
  mkdirSync(join(at.root, 'connections'));
  const maps = new KernelMaps(join(at.root, 'connections/maps'), hosts);
  const before = residentMb(broker);
  const followers = Array.from({ length: hosts }, (_, n) => {
    const client = new KafkaClient({ ...fleet.settings, clientId: `host-${n}` });
    const host = hostName(`host-${n}`);
    return new Follower({ store: openMemoryStore(), client, host, policy, maps: maps.pinsOf(n) });
  });
  const work = followers.map((follower) => follower.run(ended.signal));
  try {
    await waitFor('followers that follow', () => followers.every((one) => one.isOpen), 300_000);
    await sleep(restMs);
    const brokerKb = ((residentMb(broker) - before) * 1024) / hosts;
    const cpu = cpuSeconds(broker);
    await sleep(restMs);
    const brokerPermille = ((cpuSeconds(broker) - cpu) * 1e6) / restMs / hosts;
    const had = followers.map((follower) => follower.subjects.read().length);
    await lower(fleet.client);
    const startMs = performance.now();
    const hasMore = (follower: Follower, n: number) =>
      follower.subjects.read().length > (had[n] ?? 0);
    await waitFor('a tier on every host', () => followers.every(hasMore), 60_000);
    return { hosts, brokerKb, brokerPermille, lastMs: performance.now() - startMs };
  } finally {
    ended.abort();
    await Promise.all(work);
    await Promise.all(followers.map((follower) => follower.close()));
    maps.remove();
  }
}
