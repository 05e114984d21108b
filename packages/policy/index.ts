export { canonical, hashPolicy } from './canonical.ts';
export { type CaseResult, type Miss, runCase } from './cases/compare.ts';
export { type GoldenCase, type ParsedCases, parseCases } from './cases/parse.ts';
export { formatStoryTime } from './cases/times.ts';
export {
  type CompileOptions,
  compilePolicy,
  enforcesAnything,
  enforcing,
  type GrantMasks,
  grantMasks,
  inCanary,
  observing,
  type Reach,
  staged,
} from './compile.ts';
export {
  type ActNumbers,
  type Decided,
  type DecideMasks,
  decideAct,
  ruleName,
} from './decide.ts';
export { defaultPolicyText } from './default.ts';
export type { Change } from './diff/change.ts';
export { diffPolicies } from './diff/diff.ts';
export { Judge, type Judged, type NamedAct, type Standpoint } from './judge.ts';
export { noiseFloors } from './lint/evidence.ts';
export type { Finding } from './lint/report.ts';
export { modelOf } from './model.ts';
export { DIMENSIONS, type Dimension } from './names.ts';
export { loaderNumber, loaderOfNumber } from './number.ts';
export {
  type CoveredBy,
  defaultPolicy,
  inspectPolicy,
  type Parsed,
  parseCanonical,
  parsePolicy,
} from './parse.ts';
export type {
  Bases,
  Breaker,
  Context,
  Grant,
  Hours,
  LoaderKind,
  Operator,
  Policy,
  PolicyLoader,
  PolicyMode,
  PolicySignal,
  Realm,
  Reflex,
} from './policy.ts';
export { principalOf, subjectsOf, type Where } from './principal.ts';
export {
  formatProblem,
  PolicyError,
  type Problem,
  type ProblemCode,
} from './problem.ts';
