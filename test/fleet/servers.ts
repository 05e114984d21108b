import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  fleetContract,
  KafkaClient,
  type KafkaSettings,
  Provisioner,
  type ProvisionOptions,
} from '#log/kafka';
import { type RedisSettings, RedisView, viewKey } from '#state/redis';
import type { Placed } from '#testkit';
import { KafkaServer, RedisServer } from '#testkit/servers';

/** Real servers: those of the whole run, or a file's own. */
export interface Servers {
  readonly kafka: readonly string[];
  readonly redisPort: number;
  stop(): Promise<void>;
}

export async function servers(): Promise<Servers> {
  const { WARDEN_TEST_KAFKA: kafka, WARDEN_TEST_REDIS: redis } = process.env;
  if (kafka !== undefined && redis !== undefined) {
    return { kafka: kafka.split(','), redisPort: Number(redis), stop: async () => undefined };
  }
  const broker = await KafkaServer.start();
  const view = await RedisServer.start();
  const stop = async () => {
    await Promise.all([broker.stop(), view.stop()]);
  };
  return { kafka: broker.addresses, redisPort: view.port, stop };
}

/** A fleet's names on shared servers: topics, groups and keys of its own. */
export interface Fleet {
  readonly prefix: string;
  readonly settings: KafkaSettings;
  readonly redis: RedisSettings;
  readonly client: KafkaClient;
}

export const CONTROL = Buffer.alloc(32, 9);

export async function freshFleet(on: Servers, options: ProvisionOptions = {}): Promise<Fleet> {
  const prefix = `t${randomBytes(4).toString('hex')}.`;
  const settings = { brokers: on.kafka, clientId: 'test', prefix, tls: null, user: null };
  const client = new KafkaClient(settings);
  const provisioner = await Provisioner.open(client, fleetContract(), {
    brokers: on.kafka.length,
    ...options,
  });
  await provisioner.apply();
  await provisioner.close();
  const { redisPort: port } = on;
  const redis = { host: '127.0.0.1', port, prefix, user: null, tls: null };
  return { prefix, settings, redis, client };
}

export function viewOf({ redis }: Fleet): RedisView {
  return new RedisView(redis, viewKey(CONTROL));
}

/** What a service needs to find the servers of a fleet, and to be this host. */
export function environment(
  { prefix, settings, redis }: Fleet,
  at: Placed,
  host: string,
): Record<string, string> {
  return {
    WARDEN_KAFKA: settings.brokers.join(','),
    WARDEN_REDIS: `${redis.host}:${redis.port}`,
    WARDEN_FLEET: prefix.slice(0, -1),
    WARDEN_RUN: at.run,
    WARDEN_ETC: join(at.root, 'etc'),
    WARDEN_HOST: host,
    WARDEN_LOG_LEVEL: 'info',
  };
}
