export {
  controlOf,
  controlOutput,
  dueControlId,
  dueKey,
  externalControl,
  isAuthentic,
  overrideControl,
  parseDueKey,
  seal,
} from './control.ts';
export { FOLD_POSITION, Fold, parseMark } from './fold.ts';
export type { Fault, Folded, Traced } from './folded.ts';
export { History, historyOf } from './history.ts';
export { parseLanePolicy } from './lane-policy.ts';
export { controlRecord, type OpenKeys, openByAny, type Said, saidOf } from './records.ts';
export { compareStates, type Difference, FOLD_SPACES, replay } from './replay.ts';
