import type { PrincipalKey, Reflex, TierRecord } from '#event';
import type { Model } from './model.ts';
import { contributions } from './score.ts';
import type { TrustState } from './state.ts';
import { TIER_NAMES, toldTier } from './tiers.ts';

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
  /** An operator let this tier pass the breaker of hosts that hold it back. */
  readonly approved?: boolean;
}

/** Where the tier deviates from the default; null at the default, which hosts know already. */
function deviation(state: TrustState | null): string | null {
  if (state === null) return null;
  const { tier, pinned } = toldTier(state);
  return tier === state.defaultTier && !pinned ? null : `${tier}${pinned}`;
}

/** What hosts must be told in `bpf.tiers`, null if nothing. */
export function tierRecord(change: TierChange, model: Model): TierRecord | null {
  const { principal, before, after, cause, causeTimeUs, reflex, approved = false } = change;
  const now = deviation(after);
  if (now === deviation(before) && reflex === null && !approved) return null;
  const { trust, signals } = contributions(after, after.tMs, model);
  return {
    principal,
    tier: TIER_NAMES[toldTier(after).tier],
    default: now === null,
    trust,
    reasons: signals.filter(({ mass }) => mass > 0).map(({ id }) => id),
    pinned: toldTier(after).pinned,
    approved,
    cause,
    causeTimeUs,
    reflex,
  };
}
