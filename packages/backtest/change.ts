import { modelOf, type Policy } from '#policy';
import { TrustError } from '#trust';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HALF_LIFE_MAX_MS = 365 * DAY_MS;

/** `S07.weight=20`, `S03.half_life=3d`, `S12.limit=100`; `S*` means every signal. */
export interface Change {
  /** An id, or `S*`. */
  readonly signal: string;
  readonly parameter: 'weight' | 'half_life' | 'limit';
  /** For one value, or as a factor of what the policy says. */
  readonly value: number;
  readonly isFactor: boolean;
}

/** A value of `--set`: null when it has not that form. Half-lives in ms. */
export function parseChange(text: string): Change | null {
  const match = /^(S\*|S\d{2}H?)\.(weight|half_life|limit)=(\d{1,6})([dh]?)$/.exec(text);
  if (match === null) return null;
  const [, signal = '', parameter, digits, unit] = match;
  const isTime = parameter === 'half_life';
  if (isTime !== (unit !== '')) return null;
  const value = Number(digits) * (unit === 'd' ? DAY_MS : unit === 'h' ? HOUR_MS : 1);
  return { signal, parameter: parameter as Change['parameter'], value, isFactor: false };
}

/** The policy with a change; null when no signal of that name is there. */
export function applyChange(policy: Policy, change: Change): Policy | null {
  const fits = (id: string): boolean => change.signal === 'S*' || change.signal === id;
  if (!policy.signals.some(({ id }) => fits(id))) return null;
  const { parameter, value, isFactor } = change;
  const next = (now: number): number => (isFactor ? Math.round(now * value) : value);
  const signals = policy.signals.map((one) => {
    if (!fits(one.id)) return one;
    if (parameter === 'weight') return { ...one, points: Math.min(100, next(one.points)) };
    if (parameter === 'half_life') {
      const hours = Math.max(1, Math.round(next(one.halfLifeMs) / HOUR_MS));
      return { ...one, halfLifeMs: Math.min(HALF_LIFE_MAX_MS, hours * HOUR_MS) };
    }
    return one.limit === null ? one : { ...one, limit: Math.max(1, next(one.limit)) };
  });
  return { ...policy, signals };
}

/** Why a policy with changes can't be judged; null when it can. */
export function changeProblem(policy: Policy): string | null {
  try {
    modelOf(policy);
    return null;
  } catch (error) {
    if (error instanceof TrustError) return error.message;
    throw error;
  }
}
