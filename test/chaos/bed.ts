import { KafkaClient, KafkaLog } from '#log/kafka';
import { defaultPolicy } from '#policy';
import type { Store } from '#state';
import type { RedisView } from '#state/redis';
import { createLogger, type Logger } from '#telemetry';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import { Feed } from '../fleet/feed.ts';
import { type Fleet, freshFleet, viewOf } from '../fleet/servers.ts';
import { assertFolded, assertView, enriched } from '../fleet/truth.ts';
import { KEYS } from '../pipeline/live-fold.ts';
import { FaultyPath } from './faulty-path.ts';

const PARTITIONS = 4;

/** Servers that several faults share, as long as each leaves them as they were. */
export interface Centre {
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly proxy: FaultyPath;
  /** Where the proxy listens. */
  readonly front: number;
  stop(): Promise<void>;
}

export async function centre(brokers = 1): Promise<Centre> {
  const [front = 0] = await freePorts(1);
  const kafka = await KafkaServer.start({ brokers, ...(brokers === 1 && { front }) });
  const redis = await RedisServer.start();
  const proxy = await FaultyPath.start(front, kafka.behind);
  const stop = async () => {
    await Promise.all([proxy.stop(), kafka.stop(), redis.stop()]);
  };
  return { kafka, redis, proxy, front, stop };
}

export function quiet(): Logger {
  return createLogger({ level: process.env.WARDEN_LOG_LEVEL ?? 'silent', name: 'chaos' });
}

/** A fleet of its own on these servers: topics, a host that stores events, its view and log. */
export class Bed {
  readonly fleet: Fleet;
  readonly view: RedisView;
  readonly log: KafkaLog;
  readonly feed: Feed;
  readonly enrichers = new Set<FleetEnricher>();

  private constructor(fleet: Fleet, feed: Feed) {
    this.fleet = fleet;
    this.view = viewOf(fleet);
    this.log = new KafkaLog(fleet.client);
    this.feed = feed;
  }

  /** `front`: the host reaches Kafka through the proxy; `store`: its log, by default in memory. */
  static async open(
    { kafka, redis, front }: Centre,
    options: { front?: boolean; store?: Store } = {},
  ) {
    const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
    const fleet = await freshFleet(servers, { partitions: PARTITIONS });
    const brokers = options.front === true ? [`127.0.0.1:${front}`] : fleet.settings.brokers;
    const client = new KafkaClient({ ...fleet.settings, brokers });
    return new Bed(fleet, await Feed.open(client, options.store));
  }

  /** What an enricher needs. */
  parts(client = this.fleet.client, logger = quiet()) {
    const { view } = this;
    const now = () => Date.now();
    return { client, view, keys: KEYS, policy: defaultPolicy(), logger, now };
  }

  async enricher(parts = this.parts()): Promise<FleetEnricher> {
    const enricher = await FleetEnricher.start(parts);
    this.enrichers.add(enricher);
    return enricher;
  }

  async end(enricher: FleetEnricher): Promise<void> {
    this.enrichers.delete(enricher);
    await enricher.stop();
  }

  /** Every event once, state and outputs as one fold in peace gives them, Redis the same. */
  async assertRight(): Promise<void> {
    await enriched(this.log, this.feed.events);
    await assertFolded(this.log, this.feed.events);
    await assertView(this.log, this.view);
  }

  async close(): Promise<void> {
    for (const enricher of this.enrichers) await enricher.stop();
    await Promise.all([this.feed.close(), this.log.close(), this.view.close()]);
  }
}
