export { type Health, type Metric, prometheusText, serveHealth } from './health.ts';
export { createLogger, type Logger } from './logger.ts';
