import { type Past, tryOut, type Window } from '#backtest';
import type { PrincipalKey } from '#event';
import { modelOf, type Policy } from '#policy';
import { TIER_NAMES } from '#trust';

export interface Point {
  readonly timeMs: number;
  /** Micro-points; null before the principal's first record. */
  readonly trust: number | null;
  readonly tier: string | null;
}

const POINTS = 72;

/** Trust at even distances over the window, as a policy would have had it. */
export function curve(
  past: Past,
  principal: PrincipalKey,
  policy: Policy,
  window: Window,
): readonly Point[] {
  const told: { timeMs: number; trust: number; tier: string }[] = [];
  tryOut(principal, past.principals.get(principal) ?? [], {
    model: modelOf(policy),
    window,
    onTrust: (timeMs, trust, tier) => told.push({ timeMs, trust, tier: TIER_NAMES[tier] }),
  });
  const step = (window.toMs - window.fromMs) / (POINTS - 1);
  return Array.from({ length: POINTS }, (_, i) => {
    const timeMs = Math.round(window.fromMs + i * step);
    const last = told.findLast((one) => one.timeMs <= timeMs) ?? null;
    return { timeMs, trust: last?.trust ?? null, tier: last?.tier ?? null };
  });
}
