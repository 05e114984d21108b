import { decay } from './decay.ts';
import { type Model, POINT, parametersOf } from './model.ts';
import { factorOf } from './override.ts';
import { CATEGORIES, type Category } from './signals.ts';
import type { TrustState } from './state.ts';
import { dayOf } from './time.ts';

export const TRUST_MAX = 100 * POINT;
/** Low-confidence evidence alone leaves at least this: 1 point above where `restricted` begins. */
export const NOISE_FLOOR = 56 * POINT;
/** For a day with an act and without a signal. */
export const CREDIT_A_DAY = POINT / 2;
export const CREDIT_MAX = 5 * POINT;

const CAPS: readonly number[] = CATEGORIES.map(({ capPoints }) => capPoints * POINT);
const LOW: readonly boolean[] = CATEGORIES.map(({ low }) => low);

/** Credit at `tMs`: the last active day adds to it when it ends without a signal. */
export function creditAt(state: TrustState, tMs: number): number {
  if (!state.clean || dayOf(tMs) <= state.activeDay) return state.credit;
  return Math.min(CREDIT_MAX, state.credit + CREDIT_A_DAY);
}

/** Mass of each category, in the order of CATEGORIES. At most 32 * 3e8, so below 2^34. */
function sums(state: TrustState, tMs: number, model: Model): number[] {
  const totals = new Array<number>(CATEGORIES.length).fill(0);
  for (const { number, mass, tMs: since } of state.evidence) {
    const { category, halfLifeMs } = parametersOf(model, number);
    totals[category] = (totals[category] as number) + decay(mass, tMs - since, halfLifeMs);
  }
  return totals;
}

interface Penalty {
  readonly high: number;
  readonly low: number;
}

/** Masses capped by category, then times the operators' factor: below 2^29 * 2000. */
function penaltyOf(totals: readonly number[], permille: number): Penalty {
  let high = 0;
  let low = 0;
  for (let i = 0; i < totals.length; i++) {
    const counted = Math.min(totals[i] as number, CAPS[i] as number);
    if (LOW[i]) low += counted;
    else high += counted;
  }
  if (permille === 1000) return { high, low };
  return { high: Math.floor((high * permille) / 1000), low: Math.floor((low * permille) / 1000) };
}

/** The most that low-confidence evidence may take: the noise floor holds for every base. */
function lowLimit(base: number): number {
  return Math.max(0, base - NOISE_FLOOR);
}

const clamp = (value: number): number => Math.max(0, Math.min(TRUST_MAX, value));

/**
 * Trust at `tMs` (not before `state.tMs`), micro-points, 0 to 100 points:
 * clamp(base + credit - P), P = min(low-confidence, max(0, base - 56)) + the rest, capped by
 * category and times the operators' factor.
 * Without new records it never falls with time.
 */
export function trustAt(state: TrustState, tMs: number, model: Model): number {
  if (state.evidence.length === 0) return clamp(state.base + creditAt(state, tMs));
  const { high, low } = penaltyOf(sums(state, tMs, model), factorOf(state));
  const penalty = high + Math.min(low, lowLimit(state.base));
  return clamp(state.base + creditAt(state, tMs) - penalty);
}

export interface Contribution {
  readonly id: string;
  readonly category: Category;
  /** Micro-points at the time asked for. */
  readonly mass: number;
  readonly weight: number;
  readonly count: number;
  /** Since it was last raised. */
  readonly ageMs: number;
  readonly halfLifeMs: number;
}

export interface CapCut {
  readonly category: Category;
  readonly cap: number;
  /** Mass of the category beyond its cap. */
  readonly cut: number;
}

/**
 * Where a score comes from, in micro-points. Exactly:
 * trust = base + credit - sum of masses + sum of cuts + adjusted + floorCut + clamped.
 */
export interface Contributions {
  readonly trust: number;
  readonly base: number;
  readonly credit: number;
  readonly signals: readonly Contribution[];
  /** Categories whose cap took effect. */
  readonly cuts: readonly CapCut[];
  /** What an operator's factor gave back (below 1) or took besides (above 1, negative). */
  readonly adjusted: number;
  /** What the noise floor gave back of low-confidence evidence. */
  readonly floorCut: number;
  /** Added to stay at or above 0, or (negative) taken to stay at or below 100 points. */
  readonly clamped: number;
}

export function contributions(state: TrustState, tMs: number, model: Model): Contributions {
  const totals = sums(state, tMs, model);
  const plain = penaltyOf(totals, 1000);
  const { high, low } = penaltyOf(totals, factorOf(state));
  const floorCut = low - Math.min(low, lowLimit(state.base));
  const credit = creditAt(state, tMs);
  const trust = trustAt(state, tMs, model);
  return {
    trust,
    base: state.base,
    credit,
    signals: state.evidence.map(({ number, mass, tMs: since, count }) => {
      const { signal, weight, halfLifeMs } = parametersOf(model, number);
      const { id, category } = signal;
      const ageMs = tMs - since;
      const left = decay(mass, ageMs, halfLifeMs);
      return { id, category, mass: left, weight, count, ageMs, halfLifeMs };
    }),
    cuts: CATEGORIES.map(({ category }, i) => {
      const cap = CAPS[i] as number;
      return { category, cap, cut: Math.max(0, (totals[i] as number) - cap) };
    }).filter(({ cut }) => cut > 0),
    adjusted: plain.high + plain.low - high - low,
    floorCut,
    clamped: trust - (state.base + credit - high - low + floorCut),
  };
}
