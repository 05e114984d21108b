export { Enforcer, type EnforcerOptions, type SubjectMap } from './enforcer.ts';
