export { type Health, serveHealth } from './health.ts';
export { createLogger, type Logger } from './logger.ts';
export {
  Histogram,
  METRICS,
  type Metric,
  type MetricKind,
  type MetricName,
  prometheusText,
} from './metrics.ts';
export { openTracer, type SpanOf, type Tracer } from './tracer.ts';
