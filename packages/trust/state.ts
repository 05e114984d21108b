import type { PrincipalKey } from '#event';
import type { ClassSeen, HostSeen, Window } from './memory.ts';
import { MODEL_VERSION, type Model, POINT } from './model.ts';
import { fallTo, settleRise, type Tier } from './tiers.ts';

/** Evidence of one signal. `mass` is as of `tMs`, micro-points, at most 3 weights. */
export interface Evidence {
  readonly number: number;
  readonly mass: number;
  readonly tMs: number;
  /** Times raised, with those that added nothing. */
  readonly count: number;
}

/** What an operator said that is in force. */
export interface ActiveOverride {
  /** 16 hex digits. */
  readonly id: string;
  readonly kind: 'pin' | 'break_glass' | 'observe' | 'adjust';
  /** Of a pin. */
  readonly tier: Tier | null;
  /** Gives more than there was when it began: the kernel ends it by itself. */
  readonly raises: boolean;
  /** A pin for an incident: stands against every other pin. */
  readonly incident: boolean;
  /** Of an adjustment: how much evidence counts. */
  readonly permille: number | null;
  readonly fromMs: number;
  /** null: until it is lifted. */
  readonly untilMs: number | null;
}

/** Trust of one principal. Values are never changed, only replaced. */
export interface TrustState {
  readonly modelVersion: number;
  /** SHA-256 of the policy that it follows, hex. */
  readonly policyHash: string;
  /** Micro-points, from the policy. */
  readonly base: number;
  /** The policy's tier for this principal: nobody is computed above it. */
  readonly defaultTier: Tier;
  /** Evidence alone never takes it below this tier. */
  readonly floor: Tier;
  /** Effective time of the last record. */
  readonly tMs: number;
  /**
   * Of the last one that `bpf.signals` keeps: control records count from here, so that those who
   * have only these records come to the same.
   */
  readonly keptMs: number;
  readonly tier: Tier;
  /** Since when. */
  readonly sinceMs: number;
  /** From when on trust is enough for the next tier, in the future too; null if never. */
  readonly okMs: number | null;
  /** When the tier rises or an override ends if nothing happens until then; null if never. */
  readonly dueMs: number | null;
  /** A sticky signal was raised: no way out of the lowest tier but by an operator. */
  readonly sticky: boolean;
  /** Micro-points, as of the last active day's begin. */
  readonly credit: number;
  /** UTC day of the last act, -1 before the first. */
  readonly activeDay: number;
  /** No signal on that day so far. */
  readonly clean: boolean;
  /** Days with an act, up to EVIDENCE_DAYS. */
  readonly activeDays: number;
  /** Sorted by number. */
  readonly evidence: readonly Evidence[];
  /** Sorted by hash. */
  readonly hosts: readonly HostSeen[];
  /** Sorted by number. */
  readonly windows: readonly Window[];
  /** Kinds of programs that it has loaded, sorted by index. */
  readonly classes: readonly ClassSeen[];
  /** In the order in which they were given; at most OVERRIDES_MAX. */
  readonly overrides: readonly ActiveOverride[];
  /** Times at which a signal lowered the tier, growing; at most DEMOTIONS_MAX. */
  readonly demotions: readonly number[];
  /** Control records applied, oldest first; at most CONTROLS_MAX. See `controlNumber`. */
  readonly controls: readonly number[];
}

export const CONTROLS_MAX = 32;
/** Until this many days with an act, only evidence of EVIDENCE_WEIGHT or more counts. */
export const EVIDENCE_DAYS = 3;
export const EVIDENCE_WEIGHT = 25 * POINT;

/** A principal of whom nothing is known yet. */
export function initialState(principal: PrincipalKey, model: Model): TrustState {
  const { base, defaultTier, floor } = model.standingOf(principal);
  const state: TrustState = {
    modelVersion: MODEL_VERSION,
    policyHash: model.policyHash,
    base,
    defaultTier,
    floor,
    tMs: 0,
    keptMs: 0,
    tier: fallTo(defaultTier, base),
    sinceMs: 0,
    okMs: null,
    dueMs: null,
    sticky: false,
    credit: 0,
    activeDay: -1,
    clean: false,
    activeDays: 0,
    evidence: [],
    hosts: [],
    windows: [],
    classes: [],
    overrides: [],
    demotions: [],
    controls: [],
  };
  return settleRise(state, model);
}
