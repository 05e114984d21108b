/** What a metric is. Prometheus reads the type; people read the rest. */
export interface MetricKind {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly labels: readonly string[];
  readonly help: string;
}

const counter = (unit: string, help: string, labels: readonly string[] = []): MetricKind => {
  return { type: 'counter', unit, labels, help };
};
const gauge = (unit: string, help: string, labels: readonly string[] = []): MetricKind => {
  return { type: 'gauge', unit, labels, help };
};

const BY_PARTITION = ['partition'] as const;

/**
 * Every metric of every service: the one place that names them. `docs/reference/metrics.md` is made
 * from it, and the dashboard in `deploy/grafana` is checked against it.
 */
export const METRICS = {
  warden_host_acts_total: counter('acts', 'uses of BPF that the programs in the kernel have seen'),
  warden_host_lost_total: counter('records', 'that a ring had no room for: declared as LOSS', [
    'ring',
  ]),
  warden_host_records_sent_total: counter('records', 'records that Kafka has acknowledged'),
  warden_host_lag_records: gauge('records', 'stored here and not yet acknowledged'),
  warden_host_away_seconds: gauge('seconds', 'since when Kafka takes nothing'),
  warden_host_log_bytes: gauge('bytes', 'of the local log'),
  warden_host_following: gauge('0 or 1', '1 while tiers are followed'),
  warden_host_mode: gauge('1', 'always 1; the label is what this kernel lets us do', ['mode']),
  warden_host_tier_principals: gauge('principals', 'that deviate from their default, by tier', [
    'tier',
  ]),
  warden_host_map_changes_total: counter('changes', 'of a subject in the map of the kernel'),
  warden_host_older_refused_total: counter('records', 'tiers refused: as new or newer is known'),
  warden_host_act_to_map_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: [],
    help: 'from the act that moved a tier to the change in the map of the kernel',
  },
  warden_host_tier_to_map_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: [],
    help: 'from the record of a tier in Kafka to the change in the map of the kernel',
  },
  warden_enricher_lag_records: gauge('records', 'seen and not folded', BY_PARTITION),
  warden_enricher_events_total: counter('events', 'events folded', BY_PARTITION),
  warden_enricher_commits_total: counter('commits', 'transactions committed', BY_PARTITION),
  warden_enricher_faults_total: counter('records', 'left out of the fold: dead letters by code', [
    'partition',
    'code',
  ]),
  warden_enricher_restarts_total: counter('times', 'that a partition began anew, by the reason', [
    'partition',
    'code',
  ]),
  warden_enricher_aborted_total: counter('transactions', 'that were given up', BY_PARTITION),
  warden_enricher_restores_total: counter(
    'times',
    'that Redis was filled again from the changelog',
    BY_PARTITION,
  ),
  warden_enricher_log_to_fold_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: BY_PARTITION,
    help: 'from a record in Kafka to the commit of what it comes to: the first of each batch',
  },
  warden_enricher_live: gauge('0 or 1', '1 while the partition is folded', BY_PARTITION),
  warden_enricher_redis_bypassed: gauge('0 or 1', '1 while it runs without Redis', BY_PARTITION),
} as const satisfies Readonly<Record<string, MetricKind>>;

export type MetricName = keyof typeof METRICS;

export interface Metric {
  readonly name: MetricName;
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number | Histogram;
}

/** Upper bounds of the buckets, in seconds: 5 ms to a minute. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] as const;

/** Durations counted by size: bounded, however many there are. */
export class Histogram {
  private readonly buckets = new Array<number>(BOUNDS.length).fill(0);
  private count = 0;
  private sum = 0;

  observe(seconds: number): void {
    const at = BOUNDS.findIndex((bound) => seconds <= bound);
    if (at !== -1) this.buckets[at] = (this.buckets[at] ?? 0) + 1;
    this.count += 1;
    this.sum += seconds;
  }

  /** Suffix, bound and value of each line: buckets hold all that is not above their bound. */
  lines(): { readonly suffix: string; readonly le?: string; readonly value: number }[] {
    let below = 0;
    const buckets = BOUNDS.map((bound, at) => {
      below += this.buckets[at] ?? 0;
      return { suffix: '_bucket', le: `${bound}`, value: below };
    });
    return [
      ...buckets,
      { suffix: '_bucket', le: '+Inf', value: this.count },
      { suffix: '_sum', value: this.sum },
      { suffix: '_count', value: this.count },
    ];
  }
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function series(name: string, labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => {
    return `${key}="${`${value}`.replace(/[\\"\n]/g, (found) => ESCAPED[found] ?? found)}"`;
  });
  return pairs.length > 0 ? `${name}{${pairs.join(',')}}` : name;
}

/** The text format of Prometheus: each name once with what it means, then its values. */
export function prometheusText(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const [name, list] of Map.groupBy(metrics, (metric) => metric.name)) {
    lines.push(`# HELP ${name} ${METRICS[name].help}`, `# TYPE ${name} ${METRICS[name].type}`);
    for (const { labels = {}, value } of list) {
      if (typeof value === 'number') lines.push(`${series(name, labels)} ${value}`);
      else {
        for (const { suffix, le, value: number } of value.lines()) {
          const all = le === undefined ? labels : { ...labels, le };
          lines.push(`${series(name + suffix, all)} ${number}`);
        }
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
