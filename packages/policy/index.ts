export { canonical, hashPolicy } from './canonical.ts';
export { compilePolicy, type GrantMasks, grantMasks } from './compile.ts';
export { type ActNumbers, type Decided, decideAct, ruleName } from './decide.ts';
export { defaultPolicyText } from './default.ts';
export { modelOf } from './model.ts';
export { defaultPolicy, type Parsed, parseCanonical, parsePolicy } from './parse.ts';
export type {
  Bases,
  Grant,
  Hours,
  LoaderKind,
  Policy,
  PolicyLoader,
  PolicySignal,
  Realm,
} from './policy.ts';
export { principalOf, subjectsOf, type Where } from './principal.ts';
export {
  formatProblem,
  PolicyError,
  type Problem,
  type ProblemCode,
} from './problem.ts';
