export type { BreakerLimits, Population } from './breaker.ts';
export { Enforcer } from './enforcer.ts';
export { Measures } from './measures.ts';
export type { EnforcerOptions } from './options.ts';
export type { AdminMap, HostMap, ReflexMap, SubjectMap } from './ports.ts';
