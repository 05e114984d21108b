import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { openTracer } from '#telemetry';

const IDS = { trace: 'ab'.repeat(16), span: 'cd'.repeat(8), parent: 'ef'.repeat(8) };
/** Times as they are: what is below the age of this process counts from its start. */
const START_MS = 1_768_000_000_000;
const TIMES = { startMs: START_MS, endMs: START_MS + 250 };
const SPAN = { name: 'fold', ids: IDS, ...TIMES, attributes: { event: 'e' } };

test('without an address nothing is traced', async () => {
  assert.equal(await openTracer('service', 'host', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }), null);
});

test('a span arrives with the ids it was given', async () => {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.setHeader('content-type', 'application/json').end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = address;
  try {
    const tracer = await openTracer('service', 'host', process.env);
    tracer?.span(SPAN);
    await tracer?.close();
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    server.close();
  }
  const [resource] = JSON.parse(bodies.join('')).resourceSpans;
  const [span] = resource.scopeSpans[0].spans;
  const { traceId, spanId, parentSpanId, startTimeUnixNano, endTimeUnixNano } = span;
  assert.deepEqual([traceId, spanId, parentSpanId], [IDS.trace, IDS.span, IDS.parent]);
  const [start, end] = [startTimeUnixNano, endTimeUnixNano].map((ns) => Math.round(ns / 1e6));
  assert.deepEqual([start, end], [START_MS, START_MS + 250]);
});

test('where nobody listens nothing waits and nothing fails', async () => {
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:9';
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '200';
  try {
    const tracer = await openTracer('service', 'host', process.env);
    for (let n = 0; n < 5000; n++) tracer?.span(SPAN);
    const startMs = Date.now();
    await tracer?.close();
    assert.ok(Date.now() - startMs < 10_000, `${Date.now() - startMs} ms`);
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    delete process.env.OTEL_EXPORTER_OTLP_TIMEOUT;
  }
});
