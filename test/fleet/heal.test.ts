import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { IdempotentWriter, KafkaLog } from '#log/kafka';
import { RedisView, ViewError, viewKey } from '#state/redis';
import { waitFor } from '#testkit';
import { PartitionState } from '../../packages/state/redis/partition-state.ts';
import { CONTROL, freshFleet, servers } from './servers.ts';

const real = await servers();
after(() => real.stop());

const LANE = 0;
const BEGUN_MS = 100;
/** Longer than a heal that failed waits before it is tried again. */
const LATER_MS = 1000;

/** Refuses the first write, and holds the first fill until it is told to fail. */
class HeldView extends RedisView {
  readonly held = Promise.withResolvers<void>();
  readonly failing = Promise.withResolvers<void>();
  private isFirst = true;
  private refuses = true;

  override async write(...args: Parameters<RedisView['write']>): Promise<void> {
    if (!this.refuses) return super.write(...args);
    this.refuses = false;
    throw new ViewError('behind', 'redis: a mark that is not ours');
  }

  override async fill(...args: Parameters<RedisView['fill']>): Promise<void> {
    if (!this.isFirst) return super.fill(...args);
    this.isFirst = false;
    this.held.resolve();
    await this.failing.promise;
    throw new ViewError('behind', 'redis: somebody else fills the lane');
  }
}

const keyOf = (n: number) => `uid:${n}@corp`;

test('a heal that comes too late leaves filled lanes as they are', async (t) => {
  const { client, redis } = await freshFleet(real, { partitions: 4 });
  const settings = [redis, viewKey(CONTROL)] as const;
  const view = new HeldView(...settings);
  const plain = new RedisView(...settings);
  const log = new KafkaLog(client);
  const told: string[] = [];
  const opened: { close(): Promise<void> }[] = [view, plain, log];
  t.after(() => Promise.all(opened.map((one) => one.close())));
  await plain.ready(10_000);
  await plain.fill({ lane: LANE, next: 0, changes: [] }, Date.now());
  const state = await PartitionState.restore({
    log,
    view,
    partition: LANE,
    lanes: [LANE],
    now: () => Date.now(),
    onView: (is) => told.push(is),
  });
  opened.push(state);
  const writer = new IdempotentWriter(client);
  const [value, key] = [Buffer.from('a'), `trust/${LANE}/${keyOf(1)}`];
  await writer.send([{ topic: 'bpf.trust', partition: LANE, lane: LANE, key, value }]);
  await writer.close();
  // Redis refuses a write, then loses the lane, which is filled from memory; that takes long.
  state.apply([{ space: 'trust', lane: LANE, key: keyOf(1), value }], 1);
  await state.flushed();
  const admin = new Redis(real.redisPort);
  await admin.del(`${redis.prefix}trust:{L${LANE}}`);
  admin.disconnect();
  await state.getMany('trust', LANE, [keyOf(0)]);
  await view.held.promise;
  // The write that was refused counts now: a second heal begins, and only then the first one fails.
  await state.tend();
  await sleep(BEGUN_MS);
  view.failing.resolve();
  await waitFor('a lane that is filled', () => told.at(-1) === 'followed');
  await sleep(LATER_MS);
  const { next, values } = await plain.values(LANE, [keyOf(1)]);
  assert.equal(next, 1);
  assert.equal(`${Buffer.from(values[0] ?? [])}`, 'a');
});
