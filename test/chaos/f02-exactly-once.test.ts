import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveHostKey } from '#chain';
import { hostName } from '#event';
import { KafkaLog } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { dose, type Placed, place, seed } from '#testkit';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import { KernelMaps } from '../fleet/kernel-maps.ts';
import { Service } from '../fleet/process.ts';
import { type Fleet, freshFleet } from '../fleet/servers.ts';
import { assertFolded, assertSubjects, assertView, enriched } from '../fleet/truth.ts';
import { HOST } from '../pipeline/live-fold.ts';
import { FaultyPath } from './faulty-path.ts';
import { killers, Script, type Victims } from './victims.ts';

const EVENTS = dose === 'full' ? 1_000_000 : 20_000;
const KILLS = dose === 'full' ? 200 : 8;
/** Of what an enricher said, shown when something is wrong. */
const SAID = 4000;
const FLEET_KEY = Buffer.alloc(32, 3);
const CONTROL = Buffer.alloc(32, 9);
const HOST_KEY = deriveHostKey(FLEET_KEY, hostName(HOST));
const KEYS = { hostKeyOf: (name: string) => (name === HOST ? HOST_KEY : null), control: CONTROL };
/** Each kind at least once, then as it comes; enrichers more often than others. */
const TARGETS = ['enricher', 'takeover', 'feeder', 'broker', 'enforcer', 'redis', 'enricher'];

/** Random numbers of this seed: 0 to below 1. */
function chance(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Scene extends Victims {
  readonly at: Placed;
  readonly fleet: Fleet;
  readonly maps: KernelMaps;
  close(): Promise<void>;
}

/** All enrichers that there were: what they said tells where it went wrong. */
const started: Service[] = [];

function enricherOf(at: Placed, fleet: Fleet, front: number) {
  const keys = join(at.root, 'keys');
  mkdirSync(keys);
  mkdirSync(at.state);
  writeFileSync(join(keys, 'fleet.key'), FLEET_KEY, { mode: 0o600 });
  writeFileSync(join(keys, 'control.key'), CONTROL, { mode: 0o600 });
  const env = {
    WARDEN_REDIS: `127.0.0.1:${fleet.redis.port}`,
    WARDEN_FLEET: fleet.prefix.slice(0, -1),
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_LOG_LEVEL: 'warn',
  };
  return (n: number) => {
    const kafka = n === 0 ? `127.0.0.1:${front}` : fleet.settings.brokers.join(',');
    const service = new Service(['enricher', '--state', keys], { ...env, WARDEN_KAFKA: kafka });
    started.push(service);
    return service;
  };
}

/** Servers, two enrichers, a host's user half and its enforcer: all that is going to be killed. */
async function open(): Promise<Scene> {
  const at = place('chaos-f02');
  const [front = 0] = await freePorts(1);
  const kafka = await KafkaServer.start({ front });
  const redis = await RedisServer.start();
  const proxy = await FaultyPath.start(front, kafka.behind);
  const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(servers, { partitions: 8 });
  const maps = new KernelMaps(join(at.root, 'maps'));
  const startEnricher = enricherOf(at, fleet, front);
  const enrichers = [startEnricher(0), startEnricher(1)];
  const [broker = ''] = kafka.addresses;
  const where = [broker, fleet.prefix];
  const key = HOST_KEY.toString('hex');
  const feeder = new Script('feeder.ts', [at.database, ...where, key, `${EVENTS}`, `${seed}`]);
  const held = join(at.state, 'enforcer.db');
  const pins = JSON.stringify(maps.pinsOf(0));
  const enforcer = new Script('enforcer.ts', [held, ...where, pins]);
  const close = async () => {
    for (const enricher of enrichers) await enricher.kill();
    await Promise.all([feeder.kill(), enforcer.kill()]);
    await proxy.stop();
    await Promise.all([kafka.stop(), redis.stop()]);
    maps.remove();
    at.remove();
  };
  const random = chance(seed);
  const victims = { enrichers, startEnricher, feeder, enforcer, kafka, redis, proxy, random };
  return { ...victims, at, fleet, maps, close };
}

async function killAll(scene: Scene): Promise<void> {
  const kill = killers(scene);
  const { random } = scene;
  for (let n = 0; n < KILLS; n++) {
    await sleep(500 + 2500 * random());
    const any = Math.floor(random() * TARGETS.length);
    const target = TARGETS[n < TARGETS.length ? n : any] ?? 'enricher';
    console.log(`${n + 1}: ${target}`);
    await kill[target]?.();
  }
}

test('F02: everybody killed at random points: each event once, byte for byte', async () => {
  console.log(`seed ${seed}, ${EVENTS} events, ${KILLS} kills`);
  const scene = await open();
  const { fleet, feeder, enforcer, enrichers, maps } = scene;
  const log = new KafkaLog(fleet.client);
  const view = new RedisView(fleet.redis, viewKey(CONTROL));
  feeder.start();
  enforcer.start();
  try {
    await killAll(scene);
    const startedMs = Date.now();
    await enriched(log, EVENTS, dose === 'full' ? 4 * 3_600_000 : 200_000);
    console.log(`all there ${((Date.now() - startedMs) / 1000).toFixed(1)} s after the last kill`);
    await assertFolded(log, EVENTS, KEYS);
    await assertView(log, view);
    await assertSubjects(log, HOST, maps);
    assert.ok(enrichers.every(({ isRunning }) => isRunning));
    assert.ok(enforcer.isRunning);
  } catch (error) {
    for (const { said } of started) console.log(said.slice(-SAID));
    throw error;
  } finally {
    await Promise.all([log.close(), view.close()]);
    await scene.close();
  }
});
