import type { PrincipalKey } from '#event';
import { HALF_LIFE_MAX_MS } from './decay.ts';
import { TrustError } from './errors.ts';
import { CATEGORIES, type Category, SIGNALS, SIGNALS_MAX, type Signal } from './signals.ts';
import type { Tier } from './tiers.ts';

/** 1 point in micro-points, the unit of trust, mass and weight. */
export const POINT = 1_000_000;
/** Version of the model: what a stored state was computed by. */
export const MODEL_VERSION = 1;

/** When people work: fixed offset from UTC, since daylight saving would need a table of zones. */
export interface WorkingHours {
  /** 0 Sunday to 6 Saturday. */
  readonly weekdays: readonly number[];
  /** Minutes of the local day, from inclusive, to exclusive. */
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly offsetMinutes: number;
}

/** A signal with the policy's parameters. */
export interface SignalParameters {
  readonly signal: Signal;
  /** Micro-points, 0 to 100 points; 0 switches the signal off. */
  readonly weight: number;
  readonly halfLifeMs: number;
  /** Of a burst: raised above it. */
  readonly limit: number;
  /** Index into CATEGORIES. */
  readonly category: number;
}

/** What the policy says of a principal. */
export interface Standing {
  /** Micro-points, 0 to 100 points. */
  readonly base: number;
  /** Nobody is computed above it. */
  readonly defaultTier: Tier;
  /** Infrastructure: evidence never takes it below this tier, it only alerts. */
  readonly floor: Tier;
}

/** Everything that the fold needs of a policy. */
export interface Model {
  /** SHA-256 of the policy, 64 hex digits: a decision names it. */
  readonly policyHash: string;
  /** By signal number. */
  readonly signals: readonly (SignalParameters | undefined)[];
  /** SHA-256 of the programs that need no explanation; null when the policy lists none. */
  readonly allow: ReadonlySet<string> | null;
  readonly hours: WorkingHours | null;
  readonly standingOf: (principal: PrincipalKey) => Standing;
  /** How much an act at this host and time counts, permille: 200 to 1500. */
  readonly contextOf: (host: string, tMs: number) => number;
}

/** What a policy says of one signal; what is absent keeps its default. */
export interface SignalOverride {
  readonly points?: number;
  readonly halfLifeMs?: number;
  readonly limit?: number;
}

export interface ModelOptions {
  readonly policyHash: string;
  readonly overrides?: ReadonlyMap<string, SignalOverride>;
  readonly allow?: Iterable<string>;
  readonly hours?: WorkingHours;
  readonly standingOf?: (principal: PrincipalKey) => Standing;
  readonly contextOf?: (host: string, tMs: number) => number;
}

const categoryIndex: ReadonlyMap<Category, number> = new Map(
  CATEGORIES.map(({ category }, index) => [category, index]),
);

const byId: ReadonlyMap<string, Signal> = new Map(SIGNALS.map((signal) => [signal.id, signal]));

/** Throws `TrustError` UNKNOWN_SIGNAL. */
export function signalById(id: string): Signal {
  const signal = byId.get(id);
  if (signal === undefined) throw new TrustError('UNKNOWN_SIGNAL', id);
  return signal;
}

/** Throws `TrustError` UNKNOWN_SIGNAL. */
export function parametersOf(model: Model, number: number): SignalParameters {
  const parameters = model.signals[number];
  if (parameters === undefined) throw new TrustError('UNKNOWN_SIGNAL', `number ${number}`);
  return parameters;
}

/** Throws `TrustError` UNKNOWN_SIGNAL for an override of no signal, OVER_LIMIT for its values. */
export function makeModel(options: ModelOptions): Model {
  for (const id of options.overrides?.keys() ?? []) signalById(id);
  const signals: (SignalParameters | undefined)[] = new Array(SIGNALS_MAX).fill(undefined);
  for (const signal of SIGNALS) {
    signals[signal.number] = parameters(signal, options.overrides?.get(signal.id) ?? {});
  }
  return {
    policyHash: options.policyHash,
    signals,
    allow: options.allow === undefined ? null : new Set(options.allow),
    hours: options.hours ?? null,
    standingOf: options.standingOf ?? standingUnknown,
    contextOf: options.contextOf ?? (() => 1000),
  };
}

function parameters(signal: Signal, override: SignalOverride): SignalParameters {
  const points = override.points ?? signal.points;
  const halfLifeMs = override.halfLifeMs ?? signal.halfLifeMs;
  const limit = override.limit ?? signal.burst?.limit ?? 0;
  if (!within(points, 0, 100)) throw new TrustError('OVER_LIMIT', `${signal.id} weight ${points}`);
  if (!within(halfLifeMs, 1, HALF_LIFE_MAX_MS)) {
    throw new TrustError('OVER_LIMIT', `${signal.id} half-life ${halfLifeMs}`);
  }
  if (!within(limit, 0, 1_000_000 - 1)) {
    throw new TrustError('OVER_LIMIT', `${signal.id} limit ${limit}`);
  }
  const category = categoryIndex.get(signal.category) as number;
  return { signal, weight: points * POINT, halfLifeMs, limit, category };
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** Without a policy nobody is known, only which host speaks about itself. */
function standingUnknown(principal: PrincipalKey): Standing {
  const points = principal.startsWith('host:') ? 90 : 65;
  return { base: points * POINT, defaultTier: 3, floor: 0 };
}

/** Acts in a lane until its first policy. */
export const defaultModel: Model = makeModel({ policyHash: '0'.repeat(64) });
