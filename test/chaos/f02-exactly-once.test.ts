import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveHostKey } from '#chain';
import { hostName } from '#event';
import { KafkaLog } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { dose, place, seed } from '#testkit';
import { KafkaServer, RedisServer } from '#testkit/servers';
import { Service } from '../fleet/process.ts';
import { freshFleet } from '../fleet/servers.ts';
import { assertFolded, assertView, enriched } from '../fleet/truth.ts';
import { HOST } from '../pipeline/live-fold.ts';

const EVENTS = dose === 'full' ? 1_000_000 : 20_000;
const KILLS = dose === 'full' ? 200 : 8;
const FLEET_KEY = Buffer.alloc(32, 3);
const CONTROL = Buffer.alloc(32, 9);
const HOST_KEY = deriveHostKey(FLEET_KEY, hostName(HOST));
const KEYS = { hostKeyOf: (name: string) => (name === HOST ? HOST_KEY : null), control: CONTROL };
const TARGETS = ['enricher', 'enricher', 'feeder', 'broker', 'redis'] as const;

/** Random numbers of this seed: 0 to below 1. */
function chance(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

class Feeder {
  private readonly args: readonly string[];
  private child: ChildProcess | null = null;

  constructor(args: readonly string[]) {
    this.args = args;
  }

  start(): void {
    const file = resolve(import.meta.dirname, 'feeder.ts');
    const quiet = ['--disable-warning=TimeoutNegativeWarning'];
    this.child = spawn(process.execPath, [...quiet, file, ...this.args], { stdio: 'inherit' });
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  get isDone(): boolean {
    return this.child?.exitCode === 0;
  }
}

interface Victims {
  readonly enrichers: Service[];
  readonly startEnricher: () => Service;
  readonly feeder: Feeder;
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly random: () => number;
}

/** Kills one of a kind, and starts it again after a moment. */
function killers({ enrichers, startEnricher, feeder, kafka, redis, random }: Victims) {
  return {
    enricher: async () => {
      const n = Math.floor(random() * enrichers.length);
      await enrichers[n]?.kill();
      await sleep(500 * random());
      enrichers[n] = startEnricher();
    },
    feeder: async () => {
      if (feeder.isDone) return;
      await feeder.kill();
      feeder.start();
    },
    broker: async () => {
      await kafka.kill();
      await sleep(1000 * random());
      await kafka.restart();
    },
    redis: async () => {
      await redis.kill();
      await sleep(1000 * random());
      await redis.restart();
    },
  };
}

test('F02: everybody killed at random points: each event once, byte for byte', async () => {
  console.log(`seed ${seed}, ${EVENTS} events, ${KILLS} kills`);
  const random = chance(seed);
  const at = place('chaos-f02');
  const keys = join(at.root, 'keys');
  mkdirSync(keys);
  mkdirSync(at.state);
  writeFileSync(join(keys, 'fleet.key'), FLEET_KEY, { mode: 0o600 });
  writeFileSync(join(keys, 'control.key'), CONTROL, { mode: 0o600 });
  const kafka = await KafkaServer.start();
  const redis = await RedisServer.start();
  const [broker = ''] = kafka.addresses;
  const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(servers, { partitions: 8 });
  const { prefix } = fleet;
  const env = {
    WARDEN_KAFKA: broker,
    WARDEN_REDIS: `127.0.0.1:${redis.port}`,
    WARDEN_FLEET: prefix.slice(0, -1),
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_LOG_LEVEL: 'error',
  };
  const startEnricher = () => new Service(['enricher', '--state', keys], env);
  const enrichers = [startEnricher(), startEnricher()];
  const hex = HOST_KEY.toString('hex');
  const feeder = new Feeder([at.database, broker, prefix, hex, `${EVENTS}`, `${seed}`]);
  feeder.start();
  const log = new KafkaLog(fleet.client);
  const kill = killers({ enrichers, startEnricher, feeder, kafka, redis, random });
  try {
    for (let n = 0; n < KILLS; n++) {
      await sleep(500 + 2500 * random());
      // Each kind at least once, then as it comes.
      const target = TARGETS[n < TARGETS.length ? n : Math.floor(random() * TARGETS.length)];
      console.log(`${n + 1}: ${target}`);
      await kill[target ?? 'enricher']();
    }
    const startedMs = Date.now();
    await enriched(log, EVENTS, dose === 'full' ? 4 * 3_600_000 : 200_000);
    console.log(`all there ${((Date.now() - startedMs) / 1000).toFixed(1)} s after the last kill`);
    await assertFolded(log, EVENTS, KEYS);
    const view = new RedisView(fleet.redis, viewKey(CONTROL));
    await assertView(log, view);
    await view.close();
    assert.ok(enrichers.every(({ isRunning }) => isRunning));
  } catch (error) {
    for (const { said } of enrichers) console.log(said.slice(-3000));
    throw error;
  } finally {
    for (const enricher of enrichers) await enricher.kill();
    await feeder.kill();
    await log.close();
    await Promise.all([kafka.stop(), redis.stop()]);
    at.remove();
  }
});
