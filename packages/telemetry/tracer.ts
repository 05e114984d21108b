import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT_CONTEXT, type SpanContext, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace';

const CLOSE_MS = 1500;

/** Ids of a span as W3C writes them: 32, 16 and 16 hex digits. */
interface Ids {
  readonly trace: string;
  readonly span: string;
  readonly parent: string | null;
}

export interface SpanOf {
  readonly name: string;
  readonly ids: Ids;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** Where spans of what has happened go. */
export interface Tracer {
  span(span: SpanOf): void;
  /** Sends what is waiting, and ends; after 1.5 s without that. */
  close(): Promise<void>;
}

/** Hands out the ids that the next span is to have: they follow from the event's. */
class GivenIds implements IdGenerator {
  next: Ids = { trace: '', span: '', parent: null };
  readonly generateTraceId = () => this.next.trace;
  readonly generateSpanId = () => this.next.span;
}

/** Of a hop to another process, and into one; all else is within. */
const KINDS: Readonly<Record<string, SpanKind>> = {
  send: SpanKind.PRODUCER,
  fold: SpanKind.CONSUMER,
};

function contextOf({ trace: traceId, parent }: Ids) {
  if (parent === null) return ROOT_CONTEXT;
  const traceFlags = TraceFlags.SAMPLED;
  const remote: SpanContext = { traceId, spanId: parent, traceFlags, isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, remote);
}

/**
 * Sends spans by OTLP over HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT or its _TRACES_ sister says;
 * null where neither says anything. At most 2,048 spans wait; what nobody takes is dropped, and
 * nothing waits for it. The libraries are loaded only here: they cost an agent some memory.
 */
export async function openTracer(
  service: string,
  host: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Tracer | null> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = env;
  if ((all ?? '') === '' && (own ?? '') === '') return null;
  const [
    { BatchSpanProcessor, TracerProvider },
    { OTLPTraceExporter },
    { resourceFromAttributes },
  ] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const idGenerator = new GivenIds();
  const provider = new TracerProvider({
    idGenerator,
    resource: resourceFromAttributes({ 'service.name': service, 'host.name': host }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer('bpf-warden');
  return {
    span({ name, ids, startMs, endMs, attributes }) {
      idGenerator.next = ids;
      const options = { startTime: startMs, kind: KINDS[name] ?? SpanKind.INTERNAL, attributes };
      tracer.startSpan(name, options, contextOf(ids)).end(Math.max(startMs, endMs));
    },
    close: async () => {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, sleep(CLOSE_MS, undefined, { ref: false })]);
    },
  };
}
