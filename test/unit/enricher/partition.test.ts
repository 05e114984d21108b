import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '#log';
import type { KafkaClient } from '#log/kafka';
import { defaultPolicy } from '#policy';
import type { RedisView } from '#state/redis';
import { createLogger } from '#telemetry';
import { Partition } from '../../../services/enricher/partition.ts';

/** Brokers that are away. */
const client = new Proxy(
  {},
  {
    get: () => {
      throw new LogError('UNREACHABLE', 'a test');
    },
  },
) as KafkaClient;

test('a new life of a partition does not begin with Redis bypassed', async (t) => {
  const partition = new Partition(0, {
    client,
    view: {} as RedisView,
    keys: { hostKeyOf: () => null, control: Buffer.alloc(32) },
    policy: defaultPolicy(),
    logger: createLogger({ level: 'silent', name: 'test', pretty: false }),
    now: () => Date.now(),
  });
  t.after(() => partition.stop());
  const { status } = partition;
  status.redis = 'bypassed';
  const before = status.restarts.UNREACHABLE ?? 0;
  while ((status.restarts.UNREACHABLE ?? 0) < before + 2) await sleep(5);
  assert.equal(status.redis, 'followed');
});
