import { MASS_HALVINGS } from './decay.ts';
import { type Model, POINT, parametersOf } from './model.ts';
import { nextEnd, pinOf } from './override.ts';
import { trustAt } from './score.ts';
import type { TrustState } from './state.ts';
import { DAY_MS, dayStart, firstTime, HOUR_MS } from './time.ts';

/** 0 denied, 1 quarantined, 2 restricted, 3 standard, 4 trusted. */
export type Tier = 0 | 1 | 2 | 3 | 4;

/** Names by number, as in `bpf.tiers`, events and policies. */
export const TIER_NAMES = ['denied', 'quarantined', 'restricted', 'standard', 'trusted'] as const;
export type TierName = (typeof TIER_NAMES)[number];

interface Step {
  /** Micro-points: below it, a tier is left downwards, at once. */
  readonly lower: number;
  /** Micro-points: at or above it for `dwellMs`, the tier is reached from the one below. */
  readonly raise: number;
  readonly dwellMs: number;
}

/** By tier; the lowest is never left downwards nor reached from below. 5 points lie between. */
const STEPS: readonly Step[] = [
  { lower: 0, raise: 0, dwellMs: 0 },
  { lower: 15 * POINT, raise: 20 * POINT, dwellMs: 24 * HOUR_MS },
  { lower: 35 * POINT, raise: 40 * POINT, dwellMs: 12 * HOUR_MS },
  { lower: 55 * POINT, raise: 60 * POINT, dwellMs: 6 * HOUR_MS },
  { lower: 75 * POINT, raise: 80 * POINT, dwellMs: 2 * HOUR_MS },
];

export const DEMOTIONS_MAX = 8;
export const DEMOTION_LIFE_MS = 30 * DAY_MS;
const DWELL_FACTOR_MAX = 8;

/** Trust at which a tier is reached from below, micro-points. */
export function raiseThreshold(tier: Tier): number {
  return (STEPS[tier] as Step).raise;
}

/** Trust below which a tier is lost, micro-points. */
export function lowerThreshold(tier: Tier): number {
  return (STEPS[tier] as Step).lower;
}

/** Shortest time between reaching the tier below and this one, ms. */
export function baseDwell(tier: Tier): number {
  return (STEPS[tier] as Step).dwellMs;
}

/** The tier that is left of `tier` at this trust: downwards there is no hysteresis and no dwell. */
export function fallTo(tier: Tier, trust: number): Tier {
  let left: number = tier;
  while (left > 0 && trust < (STEPS[left] as Step).lower) left -= 1;
  return left as Tier;
}

/** Dwell before `tier` at `tMs`: doubled for each demotion of the last 30 days beyond the first. */
function dwellAt(state: TrustState, tier: Tier, tMs: number): number {
  let factor = 0.5;
  for (const demotedMs of state.demotions) {
    if (tMs - demotedMs < DEMOTION_LIFE_MS) factor *= 2;
  }
  return baseDwell(tier) * Math.max(1, Math.min(DWELL_FACTOR_MAX, factor));
}

/** The next tier up, null at the default tier and where only an operator leads out. */
function nextTier(state: TrustState): Tier | null {
  if (state.tier >= state.defaultTier) return null;
  if (state.tier === 0 && state.sticky) return null;
  return (state.tier + 1) as Tier;
}

/** Whether the tier rises at `tMs`: monotone in time while no record comes. */
export function canRise(state: TrustState, tMs: number, model: Model): boolean {
  const tier = nextTier(state);
  if (tier === null || state.okMs === null || tMs < state.okMs) return false;
  if (tMs - state.okMs < dwellAt(state, tier, tMs)) return false;
  return trustAt(state, tMs, model) >= raiseThreshold(tier);
}

/** A time from which on trust no longer changes: all masses are gone, the active day is over. */
function settledAt(state: TrustState, model: Model): number {
  let last = Math.max(state.tMs, dayStart(state.activeDay + 1));
  for (const { number, tMs } of state.evidence) {
    last = Math.max(last, tMs + MASS_HALVINGS * parametersOf(model, number).halfLifeMs);
  }
  return last;
}

function okFrom(state: TrustState, tier: Tier, model: Model): number | null {
  const enough = (tMs: number): boolean => trustAt(state, tMs, model) >= raiseThreshold(tier);
  const since = state.okMs;
  if (since !== null && since <= state.tMs && enough(state.tMs)) return since;
  return firstTime(state.tMs, settledAt(state, model), enough);
}

/** Recomputes `okMs` and `dueMs` after anything that they depend on changed at `state.tMs`. */
export function settleRise(state: TrustState, model: Model): TrustState {
  const tier = nextTier(state);
  const okMs = tier === null ? null : okFrom(state, tier, model);
  const ready = state.okMs === okMs ? state : { ...state, okMs };
  const dueMs = earlier(nextDue(ready, model), nextEnd(ready));
  return ready.dueMs === dueMs ? ready : { ...ready, dueMs };
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

/** The exact time at which the tier rises if no record comes before; null if it never does. */
export function nextDue(state: TrustState, model: Model): number | null {
  const tier = nextTier(state);
  if (tier === null || state.okMs === null) return null;
  const from = Math.max(state.tMs, state.okMs + baseDwell(tier));
  const to = Math.max(from, state.okMs + DWELL_FACTOR_MAX * baseDwell(tier));
  return firstTime(from, to, (tMs) => canRise(state, tMs, model));
}

/** What evidence comes to: never below the floor that the policy gives to infrastructure. */
function computedTier({ tier, floor }: TrustState): Tier {
  return Math.max(tier, floor) as Tier;
}

/**
 * What hosts are told. A pin that raises is not in it: that is warden-load's to give, and ends in
 * the kernel. `pinned`: an operator's pin decides, against floors and pins that raise.
 */
export function toldTier(state: TrustState): { readonly tier: Tier; readonly pinned: boolean } {
  const tier = computedTier(state);
  const pin = pinOf(state);
  if (pin === null || pin.raises) return { tier, pinned: false };
  return { tier: Math.min(state.tier, pin.tier ?? tier) as Tier, pinned: true };
}

/**
 * The tier that counts: an incident, then the latest pin, then what evidence comes to. Break-glass
 * stands above it, but only for its scope.
 */
export function effectiveTier(state: TrustState): Tier {
  const pin = pinOf(state);
  return pin?.raises ? (pin.tier ?? computedTier(state)) : toldTier(state).tier;
}
