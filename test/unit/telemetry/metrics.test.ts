import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { type Health, Histogram, METRICS, prometheusText, serveHealth } from '#telemetry';

const DASHBOARD = resolve(import.meta.dirname, '../../../deploy/grafana/bpf-warden.json');
const PANELS = JSON.parse(readFileSync(DASHBOARD, 'utf8')).panels as {
  readonly targets: readonly { readonly expr: string }[];
}[];

/** Series that the text format makes of a metric. */
function seriesOf([name, { type }]: [string, { readonly type: string }]): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

test('the dashboard asks for metrics that exist, and for each of them', () => {
  const asked = PANELS.flatMap(({ targets }) => targets.map(({ expr }) => expr)).flatMap(
    (expr) => expr.match(/warden_\w+/g) ?? [],
  );
  const known = new Set(Object.entries(METRICS).flatMap(seriesOf));
  assert.deepEqual(
    [...new Set(asked)].filter((name) => !known.has(name)),
    [],
  );
  const unseen = Object.entries(METRICS).filter((one) => {
    return !seriesOf(one).some((name) => asked.includes(name));
  });
  assert.deepEqual(unseen, []);
});

test('a name says what it is: only counters end in _total', () => {
  for (const [name, { type }] of Object.entries(METRICS)) {
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
});

test('a histogram counts each value in every bucket that holds it', () => {
  const value = new Histogram();
  for (const seconds of [0.004, 0.005, 0.3, 61]) value.observe(seconds);
  const text = prometheusText([{ name: 'warden_host_act_to_map_seconds', value }]);
  const at = (line: string) => assert.ok(text.split('\n').includes(line), `${line} in ${text}`);
  at('# TYPE warden_host_act_to_map_seconds histogram');
  at('warden_host_act_to_map_seconds_bucket{le="0.005"} 2');
  at('warden_host_act_to_map_seconds_bucket{le="0.25"} 2');
  at('warden_host_act_to_map_seconds_bucket{le="0.5"} 3');
  at('warden_host_act_to_map_seconds_bucket{le="60"} 3');
  at('warden_host_act_to_map_seconds_bucket{le="+Inf"} 4');
  at('warden_host_act_to_map_seconds_count 4');
});

test('a label cannot end its line or its quotes', () => {
  const labels = { mode: 'a"b\\c\nd' };
  const text = prometheusText([{ name: 'warden_host_mode', labels, value: 1 }]);
  assert.match(text, /^warden_host_mode\{mode="a\\"b\\\\c\\nd"\} 1$/m);
});

test('healthz and readyz follow what the service says; metrics are there either way', async (t) => {
  let health: Health = { live: true, ready: true, status: {}, metrics: [] };
  const server = await serveHealth({ host: '127.0.0.1', port: 0 }, () => health);
  t.after(() => server.close());
  const status = async (path: string) =>
    (await fetch(`http://127.0.0.1:${server.port}${path}`)).status;
  const all = async () => [
    await status('/healthz'),
    await status('/readyz'),
    await status('/metrics'),
  ];
  assert.deepEqual(await all(), [200, 200, 200]);
  health = { ...health, ready: false };
  assert.deepEqual(await all(), [200, 503, 200]);
  health = { ...health, live: false };
  assert.deepEqual(await all(), [503, 503, 200]);
  health = { ...health, live: true, ready: true };
  assert.deepEqual(await all(), [200, 200, 200]);
  assert.equal(await status('/other'), 404);
});
