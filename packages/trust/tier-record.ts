import type { PrincipalKey, Reflex, TierRecord } from '#event';
import type { Model } from './model.ts';
import { contributions } from './score.ts';
import type { TrustState } from './state.ts';
import { effectiveTier, TIER_NAMES, type Tier } from './tiers.ts';

export interface TierChange {
  readonly principal: PrincipalKey;
  /** null for a principal that had no state. */
  readonly before: TrustState | null;
  readonly after: TrustState;
  /** Id of the event or control record. */
  readonly cause: string;
  readonly causeTimeUs: number;
  /** The cause told of a reflex: its host waits for a tier that takes it into account. */
  readonly reflex: Reflex | null;
}

/** Tier where it deviates from the default; null at the default, which hosts know already. */
function deviation(state: TrustState | null): Tier | null {
  if (state === null) return null;
  const tier = effectiveTier(state);
  return tier === state.defaultTier ? null : tier;
}

/** What hosts must be told in `bpf.tiers`, null if nothing. */
export function tierRecord(change: TierChange, model: Model): TierRecord | null {
  const { principal, before, after, cause, causeTimeUs, reflex } = change;
  const now = deviation(after);
  if (now === deviation(before) && reflex === null) return null;
  const { trust, signals } = contributions(after, after.tMs, model);
  return {
    principal,
    tier: TIER_NAMES[effectiveTier(after)],
    default: now === null,
    trust,
    reasons: signals.filter(({ mass }) => mass > 0).map(({ id }) => id),
    cause,
    causeTimeUs,
    reflex,
  };
}
