export type { BreakerLimits, Population } from './breaker.ts';
export { Enforcer, type EnforcerOptions } from './enforcer.ts';
export { Measures } from './measures.ts';
export type { AdminMap, HostMap, ReflexMap, SubjectMap } from './ports.ts';
