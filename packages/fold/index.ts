export { controlOutput, dueControlId, dueKey, parseDueKey, sealControl } from './control.ts';
export {
  type Fault,
  FOLD_POSITION,
  Fold,
  type Folded,
  parseLanePolicy,
  parseMark,
} from './fold.ts';
export type { OpenKeys } from './records.ts';
export { compareStates, type Difference, FOLD_SPACES, replay } from './replay.ts';
