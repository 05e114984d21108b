import type { PrincipalKey } from '#event';
import { Judge, modelOf, type Policy } from '#policy';
import { type ActFacts, type Model, RAISED_SIGNALS, TIER_NAMES, type Tier } from '#trust';
import type { Happened, Label, Past } from './past.ts';
import { restrictedMs, STANDARD, type Timeline, tierAt, tryOut, type Window } from './trial.ts';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;

/** What a label's time came to: by the tier a minute after its begin, not by whether one fell. */
export interface Confusion {
  readonly incidentsRestricted: number;
  readonly incidentsMissed: number;
  readonly alarmsRestricted: number;
  readonly alarmsLeft: number;
}

/** How one policy would have done. */
export interface Measures {
  readonly confusion: Confusion;
  /** 0 to 1; null without a label that it could be told by. */
  readonly precision: number | null;
  readonly recall: number | null;
  /** ms from an incident's begin to below `standard`; of those that got there. */
  readonly timeToRestrict: { readonly p50: number; readonly p95: number } | null;
  readonly restrictedHoursPerWeek: number;
  /** Principals that were below `standard` at some time of the window. */
  readonly restrictedPrincipals: number;
  readonly tierChanges: number;
  /** Acts on record that its grants would have refused at the tier of then. */
  readonly refusedActs: number;
  /** Times that each signal was raised. */
  readonly raised: Readonly<Record<string, number>>;
  /** How many principals stood at each tier, from denied to trusted, at even distances. */
  readonly crowd: readonly { readonly timeMs: number; readonly tiers: readonly number[] }[];
}

/** A time in which the two policies would have differed. */
export interface Difference {
  readonly principal: PrincipalKey;
  readonly fromMs: number;
  readonly toMs: number;
  readonly before: string;
  readonly after: string;
  /** Of the change that made the difference. */
  readonly cause: string;
  readonly minutes: number;
  /** Acts on record in that time that only one of them would have refused. */
  readonly newlyRefused: number;
  readonly noLongerRefused: number;
}

/** What would change without one signal. */
export interface Marginal {
  readonly signal: string;
  readonly raised: number;
  readonly recall: number | null;
  readonly precision: number | null;
  readonly restrictedHoursPerWeek: number;
  readonly changesNothing: boolean;
}

export interface Report {
  readonly window: Window;
  readonly principals: number;
  readonly records: number;
  readonly labels: number;
  readonly baseline: Measures;
  readonly candidate: Measures;
  readonly differences: readonly Difference[];
  readonly marginal: readonly Marginal[];
  /** Signals that the candidate never raised in the window. */
  readonly silent: readonly string[];
}

interface Refused {
  readonly timeMs: number;
  readonly id: string;
}

interface Trials {
  readonly timelines: ReadonlyMap<PrincipalKey, Timeline>;
  readonly refused: ReadonlyMap<PrincipalKey, readonly Refused[]>;
}

/** `onProgress` gets a share from 0 to 1. */
export interface BacktestOptions {
  readonly past: Past;
  readonly baseline: Policy;
  readonly candidate: Policy;
  readonly window: Window;
  readonly marginal: boolean;
  readonly onProgress?: (share: number) => void;
}

function isRefused(judge: Judge, facts: ActFacts, tier: Tier): boolean {
  const { command, programType, helpers, loader } = facts;
  const act = {
    command,
    ...(programType !== null && command === 'PROG_LOAD' && { program: programType }),
    ...(command === 'PROG_LOAD' && helpers.length > 0 && { helpers }),
  };
  return judge.ask(act, { tier, loader }).decision !== 'allow';
}

function runAll(past: Past, policy: Policy, model: Model, window: Window): Trials {
  const judge = new Judge(policy);
  const timelines = new Map<PrincipalKey, Timeline>();
  const refused = new Map<PrincipalKey, readonly Refused[]>();
  for (const [principal, happened] of past.principals) {
    const mine: Refused[] = [];
    const onRecord = ({ timeMs, id, record }: Happened, tier: Tier) => {
      if (record.type === 'act' && isRefused(judge, record.facts, tier)) mine.push({ timeMs, id });
    };
    timelines.set(principal, tryOut(principal, happened, { model, window, onRecord }));
    if (mine.length > 0) refused.set(principal, mine);
  }
  return { timelines, refused };
}

const isRestricted = (timeline: Timeline | undefined, timeMs: number): boolean => {
  const tier = timeline === undefined ? null : tierAt(timeline, timeMs);
  return tier !== null && tier < STANDARD;
};

function confusionOf(labels: readonly Label[], { timelines }: Trials): Confusion {
  const count = { incidentsRestricted: 0, incidentsMissed: 0, alarmsRestricted: 0, alarmsLeft: 0 };
  for (const { principal, fromMs, verdict } of labels) {
    const restricted = isRestricted(timelines.get(principal), fromMs + MINUTE_MS);
    if (verdict === 'tp') count[restricted ? 'incidentsRestricted' : 'incidentsMissed'] += 1;
    else count[restricted ? 'alarmsRestricted' : 'alarmsLeft'] += 1;
  }
  return count;
}

const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

function percentile(sorted: readonly number[], permille: number): number {
  const at = Math.ceil((sorted.length * permille) / 1000) - 1;
  return sorted[Math.max(0, at)] as number;
}

/** From an incident's begin to the first moment below `standard`; null when it never came. */
function timeToRestrict({ principal, fromMs }: Label, { timelines }: Trials): number | null {
  const timeline = timelines.get(principal);
  if (isRestricted(timeline, fromMs)) return 0;
  const step = timeline?.steps.find(({ timeMs, tier }) => timeMs >= fromMs && tier < STANDARD);
  return step === undefined ? null : step.timeMs - fromMs;
}

function measure(labels: readonly Label[], trials: Trials, window: Window): Measures {
  const confusion = confusionOf(labels, trials);
  const { incidentsRestricted: hits, incidentsMissed, alarmsRestricted } = confusion;
  const times = labels
    .filter(({ verdict }) => verdict === 'tp')
    .map((label) => timeToRestrict(label, trials))
    .filter((ms) => ms !== null)
    .toSorted((a, b) => a - b);
  let restricted = 0;
  let restrictedPrincipals = 0;
  let tierChanges = 0;
  let refusedActs = 0;
  const raised: Record<string, number> = Object.create(null);
  for (const [principal, timeline] of trials.timelines) {
    const ms = restrictedMs(timeline, window);
    restricted += ms;
    if (ms > 0) restrictedPrincipals += 1;
    const inside = timeline.steps.filter(({ timeMs }) => timeMs >= window.fromMs);
    tierChanges += inside.filter(({ cause }) => cause !== '').length;
    refusedActs += trials.refused.get(principal)?.length ?? 0;
    for (const [id, count] of timeline.raised) raised[id] = (raised[id] ?? 0) + count;
  }
  const weeks = Math.max(1, window.toMs - window.fromMs) / WEEK_MS;
  return {
    confusion,
    precision: share(hits, hits + alarmsRestricted),
    recall: share(hits, hits + incidentsMissed),
    timeToRestrict:
      times.length === 0 ? null : { p50: percentile(times, 500), p95: percentile(times, 950) },
    restrictedHoursPerWeek: restricted / 3_600_000 / weeks,
    restrictedPrincipals,
    tierChanges,
    refusedActs,
    raised,
    crowd: crowdOf(trials, window),
  };
}

const CROWD_POINTS = 61;

function crowdOf({ timelines }: Trials, { fromMs, toMs }: Window): Measures['crowd'] {
  const step = (toMs - fromMs) / (CROWD_POINTS - 1);
  const times = Array.from({ length: CROWD_POINTS }, (_, i) => Math.round(fromMs + i * step));
  const counts = times.map(() => TIER_NAMES.map(() => 0));
  for (const timeline of timelines.values()) {
    for (const [i, timeMs] of times.entries()) {
      const tier = tierAt(timeline, timeMs);
      const at = counts[i] as number[];
      if (tier !== null) at[tier] = (at[tier] as number) + 1;
    }
  }
  return times.map((timeMs, i) => ({ timeMs, tiers: counts[i] as number[] }));
}

const DIFFERENCES_MAX = 10_000;

/** The stretches of the window in which two timelines differ. */
function differencesOf(
  principal: PrincipalKey,
  [before, after]: readonly [Trials, Trials],
  { fromMs, toMs }: Window,
): Difference[] {
  const [a, b] = [before.timelines.get(principal), after.timelines.get(principal)];
  if (a === undefined || b === undefined) return [];
  const times = [...a.steps, ...b.steps]
    .map(({ timeMs }) => Math.max(fromMs, timeMs))
    .filter((timeMs) => timeMs < toMs);
  const cuts = [...new Set([fromMs, ...times])].toSorted((x, y) => x - y);
  const refusedBy = ({ refused }: Trials, from: number, to: number) =>
    new Set(
      (refused.get(principal) ?? [])
        .filter(({ timeMs }) => timeMs >= from && timeMs < to)
        .map(({ id }) => id),
    );
  return cuts.flatMap((begin, i) => {
    const end = cuts[i + 1] ?? toMs;
    const [was, is] = [tierAt(a, begin), tierAt(b, begin)];
    if (was === is || was === null || is === null) return [];
    const [then, now] = [refusedBy(before, begin, end), refusedBy(after, begin, end)];
    const changed = (is < was ? b : a).steps.findLast(({ timeMs }) => timeMs <= begin);
    return [
      {
        principal,
        fromMs: begin,
        toMs: end,
        before: TIER_NAMES[was],
        after: TIER_NAMES[is],
        cause: changed?.cause ?? '',
        minutes: (end - begin) / MINUTE_MS,
        newlyRefused: [...now].filter((id) => !then.has(id)).length,
        noLongerRefused: [...then].filter((id) => !now.has(id)).length,
      },
    ];
  });
}

/** The policy with one signal switched off. */
function without(policy: Policy, id: string): Policy {
  const signals = policy.signals.map((one) => (one.id === id ? { ...one, points: 0 } : one));
  return { ...policy, signals };
}

/** Judges the past under two policies, with the code of production. Pure. */
export function backtest(options: BacktestOptions): Report {
  const { past, baseline, candidate, window, onProgress } = options;
  const labels = past.labels.filter(
    ({ fromMs }) => fromMs >= window.fromMs && fromMs < window.toMs,
  );
  const before = runAll(past, baseline, modelOf(baseline), window);
  const after = runAll(past, candidate, modelOf(candidate), window);
  const measures = measure(labels, after, window);
  const fired = RAISED_SIGNALS.filter(({ id }) => (measures.raised[id] ?? 0) > 0);
  const runs = 2 + (options.marginal ? fired.length : 0);
  onProgress?.(2 / runs);
  const marginal = !options.marginal
    ? []
    : fired.map(({ id }, i): Marginal => {
        const policy = without(candidate, id);
        const trials = runAll(past, policy, modelOf(policy), window);
        const one = measure(labels, trials, window);
        onProgress?.((i + 3) / runs);
        return {
          signal: id,
          raised: measures.raised[id] ?? 0,
          recall: one.recall,
          precision: one.precision,
          restrictedHoursPerWeek: one.restrictedHoursPerWeek,
          changesNothing:
            one.restrictedHoursPerWeek === measures.restrictedHoursPerWeek &&
            one.recall === measures.recall &&
            one.precision === measures.precision,
        };
      });
  const differences = [...past.principals.keys()].flatMap((principal) =>
    differencesOf(principal, [before, after], window),
  );
  return {
    window,
    principals: past.principals.size,
    records: past.records,
    labels: labels.length,
    baseline: measure(labels, before, window),
    candidate: measures,
    differences: differences
      .toSorted((x, y) => y.minutes - x.minutes || (x.principal < y.principal ? -1 : 1))
      .slice(0, DIFFERENCES_MAX),
    marginal,
    silent: RAISED_SIGNALS.map(({ id }) => id).filter((id) => (measures.raised[id] ?? 0) === 0),
  };
}
