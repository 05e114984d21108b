export { decodeState, encodeState, STATE_BYTES_MAX } from './codec.ts';
export { acted, decide } from './decide.ts';
export { TrustError, type TrustErrorCode } from './errors.ts';
export { evolve } from './evolve.ts';
export { type ActFacts, factsOf, factsText } from './facts.ts';
export { type Folded, type FoldOutcome, fold } from './fold.ts';
export {
  defaultModel,
  MODEL_VERSION,
  type Model,
  type ModelOptions,
  makeModel,
  POINT,
  type SignalOverride,
  type Standing,
  type WorkingHours,
} from './model.ts';
export {
  BREAK_GLASS_MAX,
  INCIDENT_SIGNAL,
  OVERRIDES_MAX,
  overrideProblem,
  PERMILLE_MAX,
  pinOf,
  TTL_MAX_MS,
} from './override.ts';
export type {
  Acted,
  ActRecord,
  ControlRecord,
  Decision,
  SignalAdded,
  TrustRecord,
} from './records.ts';
export {
  type CapCut,
  type Contribution,
  type Contributions,
  contributions,
  NOISE_FLOOR,
  trustAt,
} from './score.ts';
export { CATEGORIES, RAISED_SIGNALS, REMEMBERED_SIGNALS, SIGNALS, type Signal } from './signals.ts';
export { type ActiveOverride, type Evidence, initialState, type TrustState } from './state.ts';
export { type TierChange, tierRecord } from './tier-record.ts';
export {
  baseDwell,
  effectiveTier,
  lowerThreshold,
  nextDue,
  raiseThreshold,
  TIER_NAMES,
  type Tier,
  type TierName,
  toldTier,
} from './tiers.ts';
