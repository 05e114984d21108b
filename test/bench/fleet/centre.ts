import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Placed, place, queuedMs, waitFor } from '#testkit';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import { Service } from '../../fleet/process.ts';
import { type Fleet, freshFleet } from '../../fleet/servers.ts';
import { CONTROL, FLEET_KEY } from './keys.ts';
import { cpuSeconds, residentMb } from './process.ts';

const LIVE_MS = 300_000;
const DRAIN_MS = 3_600_000;
const POLL_MS = 50;
/** Until so much of a load is folded its cost does not count: the code is still being compiled. */
const WARM = 0.2;

interface Status {
  readonly phase: string;
  readonly events: number;
  readonly lag: number;
}

/** Seconds of processor of each, from one moment on. */
export type Cpu = Readonly<Record<'enricher' | 'kafka' | 'redis', number>>;

/** What folding a load came to, from WARM of it on. */
export interface Drained {
  readonly events: number;
  readonly seconds: number;
  readonly cpu: Cpu;
}

/** An enricher as it is deployed, in a process of its own. */
export class RunningEnricher {
  private readonly centre: BenchCentre;
  private readonly service: Service;
  private readonly port: number;
  private readonly startedMs = performance.now();

  constructor(centre: BenchCentre, service: Service, port: number) {
    this.centre = centre;
    this.service = service;
    this.port = port;
  }

  async status(): Promise<readonly Status[]> {
    const response = await fetch(`http://127.0.0.1:${this.port}/healthz`).catch(() => null);
    if (response === null) return [];
    return ((await response.json()) as { status: Status[] }).status;
  }

  /** Waits until all partitions are folded. Returns the seconds from the start of the process. */
  async live(partitions: number): Promise<number> {
    const isLive = async () => {
      if (!this.service.isRunning) throw new Error(`the enricher has ended: ${this.service.said}`);
      const status = await this.status();
      return status.filter(({ phase }) => phase === 'live').length === partitions;
    };
    await waitFor('partitions that are folded', isLive, LIVE_MS);
    return (performance.now() - this.startedMs) / 1000;
  }

  async events(): Promise<number> {
    return (await this.status()).reduce((sum, one) => sum + one.events, 0);
  }

  /** Waits until so many events are folded by this process. */
  async drain(events: number): Promise<Drained> {
    const endMs = performance.now() + DRAIN_MS;
    let from: { atMs: number; events: number; cpu: Cpu } | null = null;
    for (;;) {
      const folded = await this.events();
      const now = { atMs: performance.now(), events: folded, cpu: this.cpu() };
      if (from === null && folded >= WARM * events) from = now;
      if (folded >= events) {
        from ??= { atMs: this.startedMs, events: 0, cpu: { enricher: 0, kafka: 0, redis: 0 } };
        const used = (name: keyof Cpu) => now.cpu[name] - (from?.cpu[name] ?? 0);
        const cpu = { enricher: used('enricher'), kafka: used('kafka'), redis: used('redis') };
        return { events: folded - from.events, seconds: (now.atMs - from.atMs) / 1000, cpu };
      }
      if (now.atMs > endMs) throw new Error(`${folded} of ${events} events folded`);
      await sleep(POLL_MS);
    }
  }

  private get pids(): number[] {
    return [this.service.pid, ...this.service.below];
  }

  cpu(): Cpu {
    const { kafka, redis } = this.centre;
    return {
      enricher: cpuSeconds(this.pids),
      kafka: cpuSeconds([kafka.pidOf()]),
      redis: cpuSeconds([redis.pid]),
    };
  }

  get queuedSeconds(): number {
    return this.pids.reduce((sum, pid) => sum + queuedMs(pid), 0) / 1000;
  }

  get residentMb(): number {
    return residentMb(this.pids);
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }
}

/** Kafka, Redis and the keys of a fleet: what measurements of its services need. */
export class BenchCentre {
  readonly at: Placed;
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly fleet: Fleet;
  private readonly running = new Set<RunningEnricher>();

  private constructor(parts: Pick<BenchCentre, 'at' | 'kafka' | 'redis' | 'fleet'>) {
    this.at = parts.at;
    this.kafka = parts.kafka;
    this.redis = parts.redis;
    this.fleet = parts.fleet;
  }

  static async open(partitions: number): Promise<BenchCentre> {
    const at = place('bench-fleet');
    const keys = join(at.root, 'keys');
    mkdirSync(keys);
    writeFileSync(join(keys, 'fleet.key'), FLEET_KEY, { mode: 0o600 });
    writeFileSync(join(keys, 'control.key'), CONTROL, { mode: 0o600 });
    const kafka = await KafkaServer.start();
    const redis = await RedisServer.start();
    const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
    const fleet = await freshFleet(servers, { partitions });
    return new BenchCentre({ at, kafka, redis, fleet });
  }

  /** `prof`: directory for a profile of its processor time. */
  async enricher({ prof }: { prof?: string } = {}): Promise<RunningEnricher> {
    const [port = 0] = await freePorts(1);
    const { prefix, settings } = this.fleet;
    const env = {
      WARDEN_KAFKA: settings.brokers.join(','),
      WARDEN_REDIS: `127.0.0.1:${this.redis.port}`,
      WARDEN_FLEET: prefix.slice(0, -1),
      WARDEN_ETC: join(this.at.root, 'etc'),
      WARDEN_HEALTH: `127.0.0.1:${port}`,
      WARDEN_LOG_LEVEL: 'error',
      ...(prof !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${prof}` }),
    };
    const service = new Service(['enricher', '--state', join(this.at.root, 'keys')], env);
    const enricher = new RunningEnricher(this, service, port);
    this.running.add(enricher);
    return enricher;
  }

  /** Bytes that Redis has in use. */
  redisBytes(): number {
    const args = ['-p', `${this.redis.port}`, 'INFO', 'memory'];
    const text = execFileSync('redis-cli', args, { encoding: 'utf8' });
    return Number(/^used_memory:(\d+)/m.exec(text)?.[1]);
  }

  async close(): Promise<void> {
    for (const enricher of this.running) await enricher.stop();
    await Promise.all([this.kafka.stop(), this.redis.stop()]);
    this.at.remove();
  }
}
