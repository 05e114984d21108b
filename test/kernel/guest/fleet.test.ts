import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { deriveHostKey } from '#chain';
import { decode, type Event, HOPS, hostName, traceIds, traceparent } from '#event';
import { KafkaLog } from '#log/kafka';
import { RedisView, viewKey } from '#state/redis';
import { place, waitFor } from '#testkit';
import { GATEWAY, KafkaServer, RedisServer } from '#testkit/servers';
import { guestHost } from '../../fleet/guest-host.ts';
import { Service } from '../../fleet/process.ts';
import { freshFleet } from '../../fleet/servers.ts';
import { assertView, recordsOf } from '../../fleet/truth.ts';
import { runGuest } from './index.ts';

/** A span as OTLP says it in JSON, with whose it is. */
interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly service: string;
}

type Attributes = readonly { key: string; value: { stringValue?: string } }[];

async function spansOf(request: IncomingMessage): Promise<Span[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString()) as {
    resourceSpans: {
      resource: { attributes: Attributes };
      scopeSpans: { spans: Omit<Span, 'service'>[] }[];
    }[];
  };
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const name = resource.attributes.find(({ key }) => key === 'service.name');
    const service = name?.value.stringValue ?? '';
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, service })));
  });
}

/** The trace of the act that moved a tier: a span a hop, each the parent of the next. */
function assertTraced(spans: readonly Span[], event: string): void {
  const { trace } = traceIds(event, 'store');
  const found = HOPS.map((hop) => {
    const ids = traceIds(event, hop);
    const span = spans.find(({ traceId, spanId }) => traceId === trace && spanId === ids.span);
    assert.ok(span !== undefined, `${hop} of ${event}: ${JSON.stringify(spans)}`);
    assert.equal(span.parentSpanId ?? '', ids.parent ?? '');
    const ms = (Number(span.endTimeUnixNano) - Number(span.startTimeUnixNano)) / 1e6;
    assert.ok(ms >= 0, `${hop}: ${ms} ms`);
    console.log(`# span ${span.name} of ${span.service}: ${ms.toFixed(0)} ms`);
    return [span.name, span.service];
  });
  assert.deepEqual(found, [
    ['store', 'bpf-warden-collector'],
    ['send', 'bpf-warden-collector'],
    ['fold', 'bpf-warden-enricher'],
    ['enforce', 'bpf-warden-collector'],
  ]);
}

/** One run end to end: the centre on this machine, the host in a guest, real everything. */
const KERNEL = '6.12';
const HOST = 'guest';
const ALICE = 'uid:10001@corp';
const WORKLOADS = '/opt/bpf-warden/bpf/build/workloads';
const POLICY = `version: 1
mode: enforce
realms: [{ name: corp, uids: 10000-59999 }]
loaders:
  - { name: play-login, kind: login, match: { path: ${WORKLOADS}/login } }
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
grants:
  unknown: { commands: ["*"], program_types: ["*"], map_types: ["*"], objects: own }
`;
const FLEET_KEY = Buffer.alloc(32, 3);
const CONTROL = Buffer.alloc(32, 9);

interface Seen {
  readonly event: Event;
  readonly signals: readonly string[];
  readonly lane: number;
  readonly sequence: number;
  readonly appendedMs: number;
}

async function seen(log: KafkaLog): Promise<Seen[]> {
  const records = (await recordsOf(log, 'bpf.enriched')).flat();
  return records.map(({ value, appendedMs }) => {
    const { event, signals, lane, sequence } = decode('Enriched', value as Uint8Array);
    return { event: decode('Event', event), signals, lane, sequence, appendedMs };
  });
}

/** When the broker took in the frame that an event came in. */
async function arrivalOf(log: KafkaLog, { lane, sequence }: Seen): Promise<number> {
  for (const record of (await recordsOf(log, 'bpf.events')).flat()) {
    if (record.lane !== lane || record.value === null) continue;
    try {
      const { first, events } = decode('Frame', record.value);
      if (first <= sequence && sequence < first + events.length) return record.appendedMs;
    } catch {
      // A control record of the lane.
    }
  }
  throw new Error(`no frame has ${lane}/${sequence}`);
}

const detail = ({ event }: Seen, key: string) =>
  event.details.find((one) => one.key === key)?.value;

/** Each hop in ms of this machine's clock; the guest's is put right by what it saw of ours. */
async function hopsOf(log: KafkaLog, said: { refusedMs: number; skewMs: number }) {
  const rule = 'tiers.restricted.program_types';
  // The brokers have it all; who folds it may be a moment behind.
  const { act, told, refusal } = await waitFor('the act, and what was done about it', async () => {
    const all = await seen(log);
    const act = all.find(({ signals }) => signals.includes('S03'));
    const told = all.find((one) => detail(one, 'for_principal') === ALICE);
    const refusal = all.find(({ event }) => event.verdict.rule === rule);
    return act && told && refusal && { act, told, refusal };
  });
  assert.equal(act.event.principal, ALICE);
  assert.equal(act.event.verdict.decision, 'deny');
  assert.equal(detail(told, 'after'), 'restricted');
  assert.equal(detail(told, 'effect'), 'enforced');
  assert.equal(refusal.event.principal, ALICE, 'the refused call has come here too');
  const tier = (await recordsOf(log, 'bpf.tiers')).flat().find(({ key }) => key === ALICE);
  assert.ok(tier?.value != null);
  const { cause } = decode('Tier', tier.value);
  assert.equal(tier.headers.traceparent, traceparent(cause, 'fold'), 'in the header of the tier');
  const inGuest = (ms: number) => ms + said.skewMs;
  const moments = {
    act: inGuest(act.event.timeUs / 1000),
    'bpf.events': await arrivalOf(log, act),
    'bpf.enriched': act.appendedMs,
    'bpf.tiers': tier.appendedMs,
    'the map': inGuest(told.event.timeUs / 1000),
    'a refused call': inGuest(said.refusedMs),
  };
  return { moments, cause, latencyMs: Number(detail(told, 'latency_ms')) };
}

test('an act in a guest, Kafka, an enricher, Redis, an enforcer, a refused call', async (t) => {
  const at = place('guest-fleet');
  const keys = join(at.root, 'keys');
  mkdirSync(keys);
  writeFileSync(join(keys, 'fleet.key'), FLEET_KEY, { mode: 0o600 });
  writeFileSync(join(keys, 'control.key'), CONTROL, { mode: 0o600 });
  const policy = join(at.root, 'policy.yaml');
  writeFileSync(policy, POLICY);
  const kafka = await KafkaServer.start({ guests: true });
  const redis = await RedisServer.start();
  const servers = { kafka: kafka.addresses, redisPort: redis.port, stop: async () => undefined };
  const fleet = await freshFleet(servers, { partitions: 4 });
  const name = fleet.prefix.slice(0, -1);
  const spans: Span[] = [];
  const watcher = createServer(async (request, response) => {
    if (request.method === 'POST') spans.push(...(await spansOf(request)));
    const isClock = request.method === 'GET';
    response.setHeader('content-type', 'application/json').end(isClock ? `${Date.now()}` : '{}');
  });
  await new Promise<void>((done) => watcher.listen(0, '127.0.0.1', done));
  const { port } = watcher.address() as { port: number };
  const enricher = new Service(['enricher', '--state', keys, '--policy', policy], {
    WARDEN_KAFKA: kafka.addresses.join(','),
    WARDEN_REDIS: `127.0.0.1:${redis.port}`,
    WARDEN_FLEET: name,
    WARDEN_ETC: join(at.root, 'etc'),
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  });
  const log = new KafkaLog(fleet.client);
  const view = new RedisView(fleet.redis, viewKey(CONTROL));
  t.after(async () => {
    await enricher.stop();
    watcher.close();
    await Promise.all([log.close(), view.close()]);
    await Promise.all([kafka.stop(), redis.stop()]);
    at.remove();
  });
  const key = deriveHostKey(FLEET_KEY, hostName(HOST));
  const host = { kernel: KERNEL, name: HOST, key, kafkaPort: kafka.behind, fleet: name } as const;
  const outside = `http://${GATEWAY}:${port}`;
  const exports = `export FLEET_CLOCK=${outside} OTEL_EXPORTER_OTLP_ENDPOINT=${outside}`;
  const command = `${exports}\nsetup/node test/kernel/guest/inside/fleet.ts`;
  const job = guestHost({ ...host, signing: null, policy: POLICY }, command);
  const ran = await runGuest({ ...job, timeoutSeconds: 1200 });
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}${enricher.said}`);
  const [, text = ''] = /^fleet (\{.*\})$/m.exec(ran.stdout) ?? [];
  const { moments, cause, latencyMs } = await hopsOf(log, JSON.parse(text));
  const list = Object.entries(moments);
  for (const [n, [where, ms]] of list.entries()) {
    const before = list[n - 1]?.[1] ?? ms;
    console.log(`# ${where}: +${(ms - before).toFixed(0)} ms`);
  }
  console.log(`# from the act to the kernel's map: ${latencyMs} ms`);
  await assertView(log, view);
  assert.equal(await enricher.stop(), 0, enricher.said);
  assertTraced(spans, cause);
});
