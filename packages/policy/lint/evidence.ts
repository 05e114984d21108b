import type { PrincipalKey } from '#event';
import {
  CATEGORIES,
  initialState,
  lowerThreshold,
  type Model,
  POINT,
  type Tier,
  trustAt,
} from '#trust';
import { BASE_KINDS } from '../file.ts';
import { modelOf } from '../model.ts';
import type { Policy } from '../policy.ts';
import type { Path } from '../problem.ts';
import { pointsOf } from '../standing.ts';
import type { Report } from './report.ts';

const STANDARD: Tier = 3;
const ANYBODY = 'uid:0@host' as PrincipalKey;

/** Trust, in points, that is left of a base when these signals have these masses. */
export function leftOf(model: Model, base: number, masses: ReadonlyMap<string, number>): number {
  const evidence = model.signals.flatMap((one) => {
    const mass = one === undefined ? undefined : masses.get(one.signal.id);
    if (one === undefined || mass === undefined) return [];
    return [{ number: one.signal.number, mass, tMs: 0, count: 1 }];
  });
  const state = { ...initialState(ANYBODY, model), base: base * POINT, evidence };
  return trustAt(state, 0, model) / POINT;
}

/** The most that each signal can weigh, of those that `fits`. */
function heaviest(model: Model, fits: (category: string) => boolean): Map<string, number> {
  const masses = new Map<string, number>();
  for (const one of model.signals) {
    if (one !== undefined && fits(one.signal.category)) masses.set(one.signal.id, 3 * one.weight);
  }
  return masses;
}

export function tierOf(points: number): Tier {
  const fits = ([3, 2, 1] as const).find((tier) => points * POINT >= lowerThreshold(tier));
  return fits ?? 0;
}

/** Every base of a policy, and where it stands. */
export function basesOf(policy: Policy): { path: Path; what: string; points: number }[] {
  const kinds = BASE_KINDS.map((kind) => {
    return { path: ['bases', kind], what: kind, points: pointsOf(policy, kind) };
  });
  const { principals } = policy.bases;
  const named = principals.map(({ principal, points }) => {
    return { path: ['bases', 'principals', principal], what: principal, points };
  });
  return [...kinds, ...named];
}

const LOW: ReadonlySet<string> = new Set(
  CATEGORIES.filter(({ low }) => low).map(({ category }) => category),
);

/** Lint L3, computed: what low-confidence signals leave of each base, all of them at their most. */
export function noiseFloors(policy: Policy): { path: Path; what: string; left: number }[] {
  const model = modelOf(policy);
  const noise = heaviest(model, (category) => LOW.has(category));
  return basesOf(policy).map(({ path, what, points }) => {
    return { path, what, left: leftOf(model, points, noise) };
  });
}

export function lintNoise(report: Report, policy: Policy): void {
  for (const { path, what, left } of noiseFloors(policy)) {
    if (tierOf(left) >= STANDARD) continue;
    const boundary = lowerThreshold(STANDARD) / POINT;
    const message = `low-confidence signals alone leave ${left} of bases.${what}: that restricts`;
    const expected = `at least ${boundary} left`;
    report.add(path, { severity: 'error', code: 'NOISE_FLOOR', message, expected });
  }
}

/** What docs/concepts/trust.md says of one of these, at a base of 90. */
const CRITICAL: readonly { readonly id: string; readonly tier: Tier; readonly name: string }[] = [
  { id: 'S01', tier: 0, name: 'denied' },
  { id: 'S02', tier: 2, name: 'restricted' },
  { id: 'S03', tier: 2, name: 'restricted' },
  { id: 'S04', tier: 2, name: 'restricted' },
];
const MODEL_BASE = 90;

export function lintCritical(report: Report, policy: Policy): void {
  const model = modelOf(policy);
  for (const { id, tier, name } of CRITICAL) {
    const signal = policy.signals.find((one) => one.id === id);
    if (signal === undefined) continue;
    const left = leftOf(model, MODEL_BASE, new Map([[id, signal.points * POINT]]));
    if (tierOf(left) <= tier) continue;
    const message = `one ${id} leaves ${left} of a base of ${MODEL_BASE}: it would not be ${name}`;
    const most = Math.ceil(lowerThreshold((tier + 1) as Tier) / POINT) - 1;
    const expected = `a weight of ${MODEL_BASE - most} or more`;
    const path = ['signals', id, 'weight'];
    report.add(path, { severity: 'warning', code: 'CRITICAL_SIGNAL', message, expected });
  }
}

/** The least trust that evidence leaves of anybody: all signals at their most. */
export function leastTrust(policy: Policy): number {
  const model = modelOf(policy);
  const all = heaviest(model, () => true);
  return Math.min(...basesOf(policy).map(({ points }) => leftOf(model, points, all)));
}

/** Signals that a state has room for: see packages/trust/signals.ts. */
const SIGNALS_MAX = 32;

export function lintLimits(report: Report, { signals }: Policy): void {
  if (signals.length <= SIGNALS_MAX) return;
  const message = `${signals.length} signals: a state has room for ${SIGNALS_MAX}`;
  report.add(['signals'], { severity: 'error', code: 'TOO_LARGE', message });
}
