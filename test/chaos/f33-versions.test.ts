import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deriveHostKey } from '#chain';
import { hostName } from '#event';
import { KafkaLog } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { dose, type Placed, place, seed } from '#testkit';
import { KafkaServer, RedisServer } from '#testkit/servers';
import { Service } from '../fleet/process.ts';
import { type Fleet, freshFleet } from '../fleet/servers.ts';
import { assertFolded, assertView, enriched, recordsOf } from '../fleet/truth.ts';
import { HOST } from '../pipeline/live-fold.ts';
import { Script } from './victims.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PREVIOUS = process.env.WARDEN_PREVIOUS ?? '';
const skip = dose === 'full' ? false : 'full dose only: WARDEN_PREVIOUS names the commit before';
const FEEDER = 'test/chaos/feeder.ts';
const ROUNDS = 12;
const ROUND_MS = 10_000;
const EVENTS = 200_000;
const FLEET_KEY = Buffer.alloc(32, 3);
const CONTROL = Buffer.alloc(32, 9);
const HOST_KEY = deriveHostKey(FLEET_KEY, hostName(HOST));
const KEYS = { hostKeyOf: (name: string) => (name === HOST ? HOST_KEY : null), control: CONTROL };

/** The product as it was: its own files, with the packages and the feeder of today. */
function previousTree(at: Placed): string {
  assert.match(
    PREVIOUS,
    /^[0-9a-f]{7,40}$/,
    'WARDEN_PREVIOUS names the commit of the version before',
  );
  const tree = join(at.root, 'previous');
  mkdirSync(tree);
  const archive = execFileSync('git', ['-C', ROOT, 'archive', PREVIOUS], { maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', tree], { input: archive });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  // A feeder before 53262f1 makes up all events at once, and ends without memory for them.
  copyFileSync(join(ROOT, FEEDER), join(tree, FEEDER));
  writeFileSync(join(tree, '.prepared'), '');
  return tree;
}

function enrichersOf(at: Placed, { redis, prefix, settings }: Fleet) {
  const keys = join(at.root, 'keys');
  mkdirSync(keys);
  writeFileSync(join(keys, 'fleet.key'), FLEET_KEY, { mode: 0o600 });
  writeFileSync(join(keys, 'control.key'), CONTROL, { mode: 0o600 });
  const env = {
    WARDEN_KAFKA: settings.brokers.join(','),
    WARDEN_REDIS: `127.0.0.1:${redis.port}`,
    WARDEN_FLEET: prefix.slice(0, -1),
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_LOG_LEVEL: 'warn',
  };
  return (tree: string) => new Service(['enricher', '--state', keys], env, tree);
}

test('F33: this version and the one before side by side, and in turn', { skip }, async () => {
  const at = place('chaos-f33');
  mkdirSync(at.state);
  const trees = [ROOT, previousTree(at)] as const;
  const kafka = await KafkaServer.start();
  const redis = await RedisServer.start();
  const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(servers, { partitions: 8 });
  const start = enrichersOf(at, fleet);
  const [broker = ''] = kafka.addresses;
  const fed = [at.database, broker, fleet.prefix, HOST_KEY.toString('hex'), `${EVENTS}`, `${seed}`];
  const feeders = trees.map((tree) => new Script(join(tree, FEEDER), fed));
  const enrichers = [start(trees[0]), start(trees[1])];
  const log = new KafkaLog(fleet.client);
  const view = new RedisView(fleet.redis, viewKey(CONTROL));
  try {
    feeders[1]?.start();
    for (let round = 0; round < ROUNDS; round++) {
      await sleep(ROUND_MS);
      const [before, after] = round % 2 === 0 ? [1, 0] : [0, 1];
      console.log(
        `round ${round + 1}: the host and an enricher go to ${after === 0 ? 'N' : 'N-1'}`,
      );
      if (feeders[before]?.isDone !== true) {
        await feeders[before]?.kill();
        feeders[after]?.start();
      }
      await enrichers[round % 2]?.stop();
      enrichers[round % 2] = start(trees[after] as string);
    }
    await enriched(log, EVENTS, 600_000);
    await assertFolded(log, EVENTS, KEYS);
    await assertView(log, view);
    assert.deepEqual((await recordsOf(log, 'bpf.dlq')).flat(), [], 'nothing in bpf.dlq');
  } catch (error) {
    for (const { said } of enrichers) console.log(said.slice(-4000));
    throw error;
  } finally {
    for (const feeder of feeders) await feeder.kill();
    for (const enricher of enrichers) await enricher.kill();
    await Promise.all([log.close(), view.close()]);
    await Promise.all([kafka.stop(), redis.stop()]);
    at.remove();
  }
});
