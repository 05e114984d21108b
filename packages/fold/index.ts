export { controlOutput, dueControlId, dueKey, parseDueKey, sealControl } from './control.ts';
export {
  type Fault,
  FOLD_POSITION,
  Fold,
  type Folded,
  parseMark,
} from './fold.ts';
export { parseLanePolicy } from './lane-policy.ts';
export type { OpenKeys } from './records.ts';
export { compareStates, type Difference, FOLD_SPACES, replay } from './replay.ts';
