import { deriveHostKey } from '#chain';
import { kafkaConfig, openFleetKeys, redisConfig } from '#config';
import { type HostName, hostName } from '#event';
import { KafkaClient } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { createLogger, type Health, type Metric } from '#telemetry';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import type { PartitionStatus } from '../../services/enricher/partition.ts';
import { configOf } from '../shared/open.ts';
import { loadPolicy } from '../shared/policy-file.ts';
import type { FleetOptions } from './options.ts';
import { sayHealth, untilAsked } from './serve.ts';

const STATUS_MS = 30_000;

/** The key of each host, derived once: null for a name that no host can have. */
function hostKeys(fleet: Uint8Array): (host: string) => Uint8Array | null {
  const known = new Map<string, Buffer>();
  return (host) => {
    const found = known.get(host);
    if (found !== undefined) return found;
    let name: HostName;
    try {
      name = hostName(host);
    } catch {
      return null;
    }
    if (known.size >= 100_000) known.clear();
    const key = deriveHostKey(fleet, name);
    known.set(host, key);
    return key;
  };
}

/** What of a partition is counted. */
const COUNTED = [
  ['events', 'warden_enricher_events_total'],
  ['commits', 'warden_enricher_commits_total'],
  ['restarts', 'warden_enricher_restarts_total'],
] as const;

/** Ready: every partition is folded. Without Redis it is slower at the start, and no less right. */
function healthOf(status: readonly PartitionStatus[]): Health {
  const metrics = status.flatMap((one): Metric[] => {
    const labels = { partition: one.partition };
    const faults = Object.entries(one.faultCodes).map(([code, value]): Metric => {
      return { name: 'warden_enricher_faults_total', labels: { ...labels, code }, value };
    });
    const live = +(one.phase === 'live');
    const bypassed = +(one.redis === 'bypassed');
    return [
      { name: 'warden_enricher_lag_records', labels, value: one.lag },
      ...COUNTED.map(([key, name]) => ({ name, labels, value: one[key] })),
      ...faults,
      { name: 'warden_enricher_live', labels, value: live },
      { name: 'warden_enricher_redis_bypassed', labels, value: bypassed },
    ];
  });
  const ready = status.length > 0 && status.every(({ phase }) => phase === 'live');
  return { live: true, ready, status, metrics };
}

/** Folds the partitions of this process until it is asked to stop. */
export async function serveEnricher(options: FleetOptions): Promise<void> {
  const config = configOf(options);
  const logger = createLogger({ level: config.logLevel, name: 'enricher' });
  const { fleet, control } = openFleetKeys(config.stateDir, { create: false });
  const client = new KafkaClient(kafkaConfig(options, process.env, 'warden-enricher'), logger);
  const view = new RedisView(redisConfig(options, process.env), viewKey(control));
  const { policy } = loadPolicy(config);
  const keys = { hostKeyOf: hostKeys(fleet), control };
  const asked = untilAsked();
  const parts = { client, view, keys, policy, logger, now: () => Date.now() };
  const enricher = await FleetEnricher.start(parts);
  const closeHealth = await sayHealth(options, () => healthOf(enricher.status));
  const timer = setInterval(() => {
    const events = enricher.status.reduce((sum, one) => sum + one.events, 0);
    logger.info({ partitions: enricher.status.length, events }, 'folding');
  }, STATUS_MS);
  timer.unref();
  try {
    await Promise.race([asked, enricher.lost]);
  } finally {
    clearInterval(timer);
    await closeHealth();
    await enricher.stop();
    await view.close();
  }
}
