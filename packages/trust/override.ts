import type { Override } from '#event';
import { SIGNALS } from './signals.ts';
import type { ActiveOverride, TrustState } from './state.ts';
import { TIER_NAMES, type Tier } from './tiers.ts';
import { DAY_MS, MINUTE_MS } from './time.ts';

export const OVERRIDES_MAX = 8;
/** Break-glass of one principal at once. */
export const BREAK_GLASS_MAX = 2;
/** How long what raises may last; what lowers needs no end. */
export const TTL_MAX_MS = {
  pin: 30 * DAY_MS,
  observe: 30 * DAY_MS,
  adjust: 30 * DAY_MS,
  break_glass: 60 * MINUTE_MS,
} as const;
export const PERMILLE_MAX = 2000;
/** An incident that an analyst confirmed: a pin to `denied` until a pardon names it. */
export const INCIDENT_SIGNAL = 'S20';

const TEXT_MAX = 256;

const tierOf = (name: string | null): Tier | null => {
  const tier = (TIER_NAMES as readonly (string | null)[]).indexOf(name);
  return tier < 0 ? null : (tier as Tier);
};

function checkText(what: string, text: string): string | null {
  if (text.trim() === '') return `${what} is missing`;
  return text.length > TEXT_MAX ? `${what} is longer than ${TEXT_MAX}` : null;
}

/** Whether it gives more than the principal would have: then it must end by itself. */
function isRaising({ verb, tier, permille }: Override, state: TrustState): boolean {
  if (verb === 'break_glass' || verb === 'observe') return true;
  if (verb === 'adjust') return (permille ?? 1000) < 1000;
  return verb === 'pin' && (tierOf(tier) ?? 0) > state.tier;
}

function checkEnd(override: Override, state: TrustState): string | null {
  const { verb, untilMs, timeMs } = override;
  if (untilMs === null) {
    return isRaising(override, state) ? `${verb} raises: it needs an end` : null;
  }
  if (untilMs <= timeMs) return 'it would end before it begins';
  if (!isRaising(override, state)) return null;
  const most = TTL_MAX_MS[verb as keyof typeof TTL_MAX_MS];
  return untilMs - timeMs > most ? `${verb} lasts at most ${most / MINUTE_MS} minutes` : null;
}

function checkContent({ verb, tier, incident, permille, signals, label, lifts }: Override) {
  if (verb === 'pin') {
    if (tierOf(tier) === null) return `pin: no tier ${tier}`;
    return incident && tier !== 'denied' ? 'an incident pins to denied' : null;
  }
  if (verb === 'adjust') {
    const isFit = permille !== null && permille >= 0 && permille <= PERMILLE_MAX;
    return isFit ? null : 'adjust: a factor from 0 to 2';
  }
  if (verb === 'pardon') {
    const ids = new Set([...SIGNALS.map(({ id }) => id), INCIDENT_SIGNAL]);
    const unknown = signals.find((id) => !ids.has(id));
    return unknown === undefined ? null : `no signal ${unknown}`;
  }
  if (verb === 'label') return label === 'tp' || label === 'fp' ? null : 'label: tp or fp';
  return verb === 'lift' && lifts === null ? 'lift: of which override?' : null;
}

function checkRoom({ verb, lifts }: Override, { overrides }: TrustState): string | null {
  if (verb === 'lift') {
    return overrides.some(({ id }) => id === lifts) ? null : `no override ${lifts} is in force`;
  }
  if (verb === 'pardon' || verb === 'label' || verb === 'approve') return null;
  if (overrides.length >= OVERRIDES_MAX) return `${OVERRIDES_MAX} overrides are in force already`;
  const open = overrides.filter(({ kind }) => kind === 'break_glass').length;
  const isFull = verb === 'break_glass' && open >= BREAK_GLASS_MAX;
  return isFull ? `${BREAK_GLASS_MAX} break-glass are in force already` : null;
}

/** Why an override can't act on this state; null when it can. */
export function overrideProblem(override: Override, state: TrustState): string | null {
  return (
    checkText('the author', override.author) ??
    checkText('the reason', override.reason) ??
    checkContent(override) ??
    checkEnd(override, state) ??
    checkRoom(override, state)
  );
}

/** What stays in force of an override; null for one that acts once. */
function activeOf(override: Override, state: TrustState): ActiveOverride | null {
  const { id, verb, incident, permille, timeMs, untilMs } = override;
  if (verb !== 'pin' && verb !== 'break_glass' && verb !== 'observe' && verb !== 'adjust') {
    return null;
  }
  const tier = verb === 'pin' ? tierOf(override.tier) : null;
  const raises = isRaising(override, state);
  return { id, kind: verb, tier, raises, incident, permille, fromMs: timeMs, untilMs };
}

/** Takes the mass of the named signals away, of all where none is named; S20 ends an incident. */
function pardon(state: TrustState, { signals }: Override): TrustState {
  const named = (id: string): boolean => signals.length === 0 || signals.includes(id);
  const gone = new Set(SIGNALS.filter(({ id }) => named(id)).map(({ number }) => number));
  const stuck = SIGNALS.filter((one) => one.sticky).some(({ id }) => !named(id));
  return {
    ...state,
    // The entry stays: an episode that was forgiven is not a new one a moment later.
    evidence: state.evidence.map((one) => (gone.has(one.number) ? { ...one, mass: 0 } : one)),
    overrides: named(INCIDENT_SIGNAL)
      ? state.overrides.filter(({ incident }) => !incident)
      : state.overrides,
    sticky: state.sticky && stuck,
  };
}

/** The state with an override in force, before its tier is computed anew. */
export function applyOverride(state: TrustState, override: Override): TrustState {
  if (override.verb === 'pardon') return pardon(state, override);
  if (override.verb === 'lift') {
    const overrides = state.overrides.filter(({ id }) => id !== override.lifts);
    return { ...state, overrides };
  }
  const active = activeOf(override, state);
  return active === null ? state : { ...state, overrides: [...state.overrides, active] };
}

/** The state without what has ended by `tMs`; the same state where nothing has. */
export function endOverrides(state: TrustState, tMs: number): TrustState {
  const overrides = state.overrides.filter(({ untilMs }) => untilMs === null || untilMs > tMs);
  return overrides.length === state.overrides.length ? state : { ...state, overrides };
}

/** When the next override ends; null when none does by itself. */
export function nextEnd({ overrides }: TrustState): number | null {
  let first: number | null = null;
  for (const { untilMs } of overrides) {
    if (untilMs !== null && (first === null || untilMs < first)) first = untilMs;
  }
  return first;
}

/** How much evidence counts now, permille: the latest adjustment. */
export function factorOf({ overrides }: TrustState): number {
  for (let i = overrides.length - 1; i >= 0; i--) {
    const { kind, permille } = overrides[i] as ActiveOverride;
    if (kind === 'adjust' && permille !== null) return permille;
  }
  return 1000;
}

/** The pin that counts: an incident's, else the latest. */
export function pinOf({ overrides }: TrustState): ActiveOverride | null {
  const pins = overrides.filter(({ kind }) => kind === 'pin');
  return pins.find(({ incident }) => incident) ?? pins.at(-1) ?? null;
}
