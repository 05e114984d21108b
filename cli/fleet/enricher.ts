import { hostname } from 'node:os';
import { kafkaConfig, openFleetKeys, redisConfig } from '#config';
import { KafkaClient } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { createLogger, type Health, type Metric, type MetricName, openTracer } from '#telemetry';
import { FleetEnricher } from '../../services/enricher/fleet.ts';
import type { PartitionStatus } from '../../services/enricher/partition.ts';
import { EXIT } from '../shared/exit.ts';
import { asCliError } from '../shared/log-error.ts';
import { configOf } from '../shared/open.ts';
import { loadPolicy } from '../shared/policy-file.ts';
import { report } from '../shared/report.ts';
import { hostKeys } from './host-keys.ts';
import type { FleetOptions } from './options.ts';
import { closeAfter, sayHealth, untilAsked } from './serve.ts';

const STATUS_MS = 30_000;
/** Less than the 10 s after which those who run services kill what was asked to stop. */
const END_MS = 8000;

/** What of a partition is counted. */
const COUNTED = [
  ['events', 'warden_enricher_events_total'],
  ['commits', 'warden_enricher_commits_total'],
  ['aborted', 'warden_enricher_aborted_total'],
  ['restores', 'warden_enricher_restores_total'],
] as const;

/** Ready: every partition is folded. Without Redis it is slower at the start, and no less right. */
function healthOf(status: readonly PartitionStatus[]): Health {
  const metrics = status.flatMap((one): Metric[] => {
    const labels = { partition: one.partition };
    const byCode = (name: MetricName, counts: Readonly<Record<string, number>>) =>
      Object.entries(counts).map(([code, value]): Metric => {
        return { name, labels: { ...labels, code }, value };
      });
    const live = +(one.phase === 'live');
    const bypassed = +(one.redis === 'bypassed');
    return [
      { name: 'warden_enricher_lag_records', labels, value: one.lag },
      ...COUNTED.map(([key, name]) => ({ name, labels, value: one[key] })),
      ...byCode('warden_enricher_faults_total', one.faultCodes),
      ...byCode('warden_enricher_restarts_total', one.restarts),
      { name: 'warden_enricher_log_to_fold_seconds', labels, value: one.latency },
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
  const now = () => Date.now();
  const { stateDir } = config;
  const keys = { ...hostKeys({ stateDir, fleet, logger }), control };
  const asked = untilAsked();
  const tracer = await openTracer('bpf-warden-enricher', hostname(), process.env);
  const parts = { client, view, keys, policy, logger, tracer, now };
  const enricher = await FleetEnricher.start(parts);
  const closeHealth = await sayHealth(options, () => healthOf(enricher.status));
  const timer = setInterval(() => {
    const events = enricher.status.reduce((sum, one) => sum + one.events, 0);
    logger.info({ partitions: enricher.status.length, events }, 'folding');
  }, STATUS_MS);
  timer.unref();
  const close = async () => {
    clearInterval(timer);
    await closeHealth();
    await enricher.stop();
    await tracer?.close();
    await view.close();
  };
  const late = await closeAfter(Promise.race([asked, enricher.lost]), close, END_MS);
  if (late === null) return;
  const why = late.cause === null ? 'the brokers do not answer' : 'it does not close in time';
  logger.warn(`${why}: ends as it is, and who folds next fences it`);
  process.exit(late.cause === null ? EXIT.temporary : report(asCliError(late.cause)));
}
