export { Enricher, type EnricherOptions } from './enricher.ts';
