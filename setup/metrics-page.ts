import { METRICS, type MetricKind } from '#telemetry';

const INTRO = `A service that was given \`--health HOST:PORT\` (\`WARDEN_HEALTH\`) says these at
\`GET /metrics\`, as Prometheus reads them. \`/healthz\` says whether it lives, and \`/readyz\`
whether it works; both answer 200, or 503. A series with labels is there from its first value
on. A dashboard: \`deploy/grafana/bpf-warden.json\`.`;

type Table = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

/** The page of every metric, in the order of the table in `packages/telemetry/metrics.ts`. */
export function metricsPage(notice: (source: string) => string, table: Table): string {
  const kinds: [string, MetricKind][] = Object.entries(METRICS);
  const rows = kinds.map(([name, { type, unit, labels, help }]) => {
    return [`\`${name}\``, type, unit, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  const head = ['metric', 'type', 'unit', 'labels', 'what'];
  const parts = ['# Metrics', notice('packages/telemetry/metrics.ts'), INTRO, table(head, rows)];
  return `${parts.join('\n\n')}\n`;
}
