import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnforcerMaps, type KernelStats, native, pinsIn, StatsMap } from '#bpf';
import { type Config, kafkaConfig } from '#config';
import { type Event, hostPrincipal } from '#event';
import { LogError } from '#log';
import { KafkaClient, KafkaLog } from '#log/kafka';
import { type Health, type Metric, openTracer, type Tracer } from '#telemetry';
import { FORWARDER_POSITION, Forwarder } from '../../services/collector/forwarder.ts';
import { systemEvent } from '../../services/collector/index.ts';
import { Enforcer, type EnforcerOptions, Measures } from '../../services/enforcer/index.ts';
import { EXIT } from '../shared/exit.ts';
import { loadPolicy } from '../shared/policy-file.ts';
import type { Parts } from '../up/loop.ts';
import { reportPolicy } from '../up/said.ts';
import { abandon, startParts } from '../up.ts';
import { sayHealth, untilAsked } from './serve.ts';
import { openSpeaker, type Speaker } from './witness.ts';

const HOUSEKEEPING_MS = 60_000;
const IDLE_MS = 1000;
/** What has not ended by then is left where it is: the monitor kills after 10 s. */
const END_MS = 3000;
const DELAY = { firstMs: 100, maxMs: 15_000 } as const;
/** Bytes kept of each of the local log's topics besides events. */
const TOPIC_BYTES = 64 * 1024 * 1024;
/** A place in the tiers older than this may lie behind tombstones that are gone. */
const SNAPSHOT_MAX_MS = 6 * 24 * 3_600_000;
const SEEN_KEY = 'tiers/seen';

/** When this host last followed the tiers, ms since 1970; null: never. */
async function lastSeen({ store }: Parts): Promise<number | null> {
  const stored = await store.get('host', 0, SEEN_KEY);
  return stored === null ? null : Number(Buffer.from(stored).toString());
}

async function noteSeen({ store }: Parts): Promise<void> {
  const value = Buffer.from(`${Date.now()}`);
  const state = [{ space: 'host', lane: 0, key: SEEN_KEY, value }] as const;
  await store.commit({ outputs: [], state, position: [] });
}

/** Follows the tiers as they come: also those of transactions that are not over. */
class Follower {
  private readonly parts: Parts;
  private readonly log: KafkaLog;
  private readonly signal: AbortSignal;
  private readonly tracer: Tracer | null;
  private afresh = false;
  isFollowing = false;
  /** Offset in the tiers up to which the kernel's map follows. */
  revision = 0;
  readonly measures = new Measures();

  constructor(
    parts: Parts,
    client: KafkaClient,
    { signal, tracer }: { readonly signal: AbortSignal; readonly tracer: Tracer | null },
  ) {
    this.parts = parts;
    this.tracer = tracer;
    // The fold is deterministic: an early tier is never a wrong one.
    this.log = new KafkaLog(client, 'uncommitted');
    this.signal = signal;
  }

  async run(): Promise<void> {
    const { logger } = this.parts;
    for (let delayMs: number = DELAY.firstMs; !this.signal.aborted; ) {
      const startedMs = performance.now();
      try {
        await this.follow();
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        // The tiers were made anew, or this host was away too long: what they say now counts.
        this.isFollowing = false;
        this.afresh = error.code === 'BEYOND_END' || error.code === 'TRIMMED';
        logger.error({ reason: error.message }, 'tiers stay as they are in the kernel');
        if (performance.now() - startedMs > 2 * DELAY.maxMs) delayMs = DELAY.firstMs;
        await sleep(Math.random() * delayMs, null, { signal: this.signal }).catch(() => null);
        delayMs = Math.min(2 * delayMs, DELAY.maxMs);
      }
    }
    await this.log.close();
  }

  private async follow(): Promise<void> {
    const { parts } = this;
    const seenMs = await lastSeen(parts);
    // Far ahead of a clock that was set back it is of no age that we know.
    const old = seenMs !== null && Math.abs(Date.now() - seenMs) > SNAPSHOT_MAX_MS;
    const maps = new EnforcerMaps(pinsIn(join(parts.config.runDir, 'bpf')));
    try {
      const options = this.enforcerOptions(maps);
      const enforcer = await Enforcer.open({ ...options, afresh: old || this.afresh });
      this.afresh = false;
      this.isFollowing = true;
      await noteSeen(parts);
      let notedMs = performance.now();
      while (!this.signal.aborted) {
        const { more } = await enforcer.step();
        this.revision = enforcer.place.from;
        if (!more) await this.log.awaitMore([enforcer.place], IDLE_MS);
        if (performance.now() - notedMs < HOUSEKEEPING_MS) continue;
        await noteSeen(parts);
        notedMs = performance.now();
      }
    } finally {
      maps.close();
    }
  }

  private enforcerOptions(maps: EnforcerMaps): EnforcerOptions {
    const { store, policy, bootId, host, mode, logger, collector } = this.parts;
    const now = () => Date.now();
    return {
      store: {
        log: this.log,
        commit: (commit) => store.commit(commit),
        position: (source) => store.position(source),
        scan: (space, options) => store.scan(space, options),
      },
      source: 'fleet',
      subjects: maps.subjects,
      reflexes: maps.reflexes,
      hostMap: maps.host,
      admins: maps.admins,
      bootId,
      host,
      mode,
      policy,
      breaker: { ...policy.breaker, least: policy.breaker.principals },
      logger,
      append: collector.append,
      now,
      bootNow: () => BigInt(now()) * 1_000_000n - native().bootOffset(),
      // A host knows only its own: above the least number, lowerings wait for an operator.
      population: async () => ({ principals: 0, hosts: 0 }),
      measures: this.measures,
      tracer: this.tracer,
    };
  }
}

/** Gives back what the fleet has: the local log goes back to what was sent, and no further. */
async function keepHouse({ store, logger, config }: Parts, signal: AbortSignal): Promise<void> {
  let trimmed: bigint | null = null;
  while (!signal.aborted) {
    const { bytes, freeBytes } = await store.size();
    const isLarge = bytes - freeBytes > config.logBytes / 2;
    const sent = await store.position(FORWARDER_POSITION);
    try {
      if (!isLarge || sent !== trimmed) {
        await store.snapshot(FORWARDER_POSITION);
        await store.trim({ keepSnapshots: 1, maxBytes: TOPIC_BYTES });
        trimmed = sent;
      }
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      logger.error({ reason: error.message }, 'the local log cannot be trimmed');
    }
    // A log that fills up is looked at often: what was sent makes room at once.
    for (let waitedMs = 0; waitedMs < HOUSEKEEPING_MS && !signal.aborted; waitedMs += IDLE_MS) {
      await sleep(IDLE_MS, null, { signal }).catch(() => null);
      const size = await store.size();
      if (size.bytes - size.freeBytes > config.logBytes / 2) break;
    }
  }
}

/** What was given up unsent is declared, like any loss. */
function agedEvent({ host, mode }: Parts, count: number): Event {
  const at = { principal: hostPrincipal(host), timeUs: Date.now() * 1000, mode };
  const details = { ring: 'log', why: 'kafka did not take it for 30 days', count };
  return systemEvent({ command: 'LOSS', ...at, count, details });
}

async function serveUntilAsked(parts: Parts, client: KafkaClient, ended: AbortController) {
  const { collector, store, logger } = parts;
  const asked = untilAsked();
  const tracer = await openTracer('bpf-warden-collector', parts.host, process.env);
  const forwarder = await Forwarder.open({
    store,
    client,
    logger,
    tracer,
    onAged: (events) => collector.append(agedEvent(parts, events)),
    now: () => Date.now(),
  });
  const { signal } = ended;
  const follower = new Follower(parts, client, { signal, tracer });
  const stats = new StatsMap(join(parts.config.runDir, 'bpf/stats'));
  const speaker = openSpeaker(parts, {
    client,
    forwarder,
    revision: () => follower.revision,
    lost: () => lostIn(stats.read()),
  });
  const { witness } = speaker;
  const health = () => healthOf(parts, { forwarder, follower, stats, speaker });
  const closeHealth = await sayHealth({}, health);
  const work = [forwarder.run(signal), follower.run(), keepHouse(parts, signal)];
  // Not part of the work: nothing that becomes of it ends the rest. It never throws.
  void witness?.run(signal);
  logger.info({ brokers: client.settings.brokers }, 'forwarding');
  await Promise.race([asked, collector.ended, ...work]);
  await collector.stop();
  // What was stored at the end goes out too, where somebody takes it.
  const lastMs = performance.now() + IDLE_MS;
  while ((await forwarder.lag()) > 0 && performance.now() < lastMs) await sleep(20);
  ended.abort();
  const saidLast = witness?.finish();
  // Who hangs where brokers hang must not keep the position from being stored.
  await Promise.race([Promise.all(work), sleep(END_MS)]);
  await forwarder.close();
  await Promise.all([saidLast, closeHealth(), tracer?.close()]);
  stats.close();
}

const AWAY_MAX_MS = 60_000;

const RINGS = ['deny', 'object', 'bulk'] as const;

/** Records for which a ring had no room, by ring. */
function lostIn({ rings }: KernelStats): { ring: string; count: number }[] {
  return RINGS.map((ring, n) => ({ ring, count: rings[n]?.lost ?? 0 }));
}

/** What the programs in the kernel have seen and had no room for. */
function kernelMetrics(stats: StatsMap): Metric[] {
  const read = stats.read();
  const lost = lostIn(read).map(({ ring, count: value }): Metric => {
    return { name: 'warden_host_lost_total', labels: { ring }, value };
  });
  return [{ name: 'warden_host_acts_total', value: read.acts }, ...lost];
}

/** Those whose health is that of the host. */
interface Seen {
  readonly forwarder: Forwarder;
  readonly follower: Follower;
  readonly stats: StatsMap;
  readonly speaker: Speaker;
}

/** Ready: what is stored goes out, and tiers come in. The kernel decides without either. */
async function healthOf(
  { store, mode }: Parts,
  { forwarder, follower, stats, speaker }: Seen,
): Promise<Health> {
  const { sent, awayMs } = forwarder.status;
  const lag = await forwarder.lag();
  const { bytes } = await store.size();
  const sending = { sent, lag, awayMs, bytes, witness: speaker.status() };
  const status = { mode, ...sending, following: follower.isFollowing };
  const { changes, older, latency, following, tiers } = follower.measures;
  const held = [...tiers].map(([tier, value]): Metric => {
    return { name: 'warden_host_tier_principals', labels: { tier }, value };
  });
  return {
    live: true,
    ready: awayMs < AWAY_MAX_MS && follower.isFollowing,
    status,
    metrics: [
      ...kernelMetrics(stats),
      ...held,
      { name: 'warden_host_records_sent_total', value: sent },
      { name: 'warden_host_lag_records', value: lag },
      { name: 'warden_host_away_seconds', value: awayMs / 1000 },
      { name: 'warden_host_log_bytes', value: bytes },
      { name: 'warden_host_following', value: +follower.isFollowing },
      { name: 'warden_host_mode', labels: { mode }, value: 1 },
      { name: 'warden_host_map_changes_total', value: changes },
      { name: 'warden_host_older_refused_total', value: older },
      { name: 'warden_host_act_to_map_seconds', value: latency },
      { name: 'warden_host_tier_to_map_seconds', value: following },
    ],
  };
}

/** A host of a fleet: collector, forwarder and enforcer, without privileges. */
export async function serveAgent(config: Config): Promise<void> {
  const loaded = loadPolicy({
    policyFile: process.env.WARDEN_STAGED_POLICY ?? null,
    enforce: false,
  });
  const how = { name: 'collector', enrolled: true, alone: true };
  const parts = await startParts(config, loaded.policy, how);
  const client = new KafkaClient(
    kafkaConfig({}, process.env, `warden-host-${parts.host}`),
    parts.logger,
  );
  const ended = new AbortController();
  try {
    await reportPolicy(parts, loaded.rollout);
    await serveUntilAsked(parts, client, ended);
  } catch (error) {
    ended.abort();
    await abandon(parts, error);
  }
  await parts.store.close();
  // It must end, whatever still waits for brokers.
  process.exit(EXIT.ok);
}
