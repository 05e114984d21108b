export type { BreakerLimits, Population } from './breaker.ts';
export { Enforcer, type EnforcerOptions, type SubjectMap } from './enforcer.ts';
export { Measures } from './measures.ts';
