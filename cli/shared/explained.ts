import Table from 'cli-table3';
import { MICRO, type Override, safeText } from '#event';
import type { Policy } from '#policy';
import {
  type Contributions,
  effectiveTier,
  lowerThreshold,
  type Model,
  nextDue,
  pinOf,
  raiseThreshold,
  TIER_NAMES,
  type Tier,
  type TrustState,
  toldTier,
} from '#trust';
import { colors } from './colors.ts';
import { displayNames } from './display.ts';
import type { KernelView } from './kernel-view.ts';

/** Everything that is known of why a principal may do what it may. */
export interface Explained {
  readonly principal: string;
  readonly atMs: number;
  readonly state: TrustState;
  readonly model: Model;
  readonly policy: Policy | null;
  readonly parts: Contributions;
  /** Ids of the latest events that raised each signal. */
  readonly events: ReadonlyMap<string, readonly string[]>;
  /** What operators said, by id. */
  readonly said: ReadonlyMap<string, Override>;
  /** false: the log was trimmed, what stood before its begin is not known. */
  readonly complete: boolean;
  /** Of this host; null: another time was asked for. A text says why it can't be read. */
  readonly kernel: KernelView | string | null;
  /** Tier records that the enforcer has not taken yet. */
  readonly lag: number | null;
}

const points = (micro: number) => (micro / MICRO).toFixed(6);
const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const days = (ms: number) => `${(ms / 86_400_000).toFixed(1)} d`;

/** Trust as a sum that adds up exactly; each line in micro-points. */
export function terms({ parts }: Explained): { label: string; micro: number }[] {
  const { base, credit, signals, cuts, adjusted, floorCut, clamped } = parts;
  return [
    { label: 'base', micro: base },
    { label: 'credit for clean days', micro: credit },
    ...signals.map(({ id, mass }) => ({ label: id, micro: -mass })),
    ...cuts.map(({ category, cut }) => ({ label: `cap of ${category}`, micro: cut })),
    { label: "operators' factor", micro: adjusted },
    { label: 'noise floor', micro: floorCut },
    { label: 'limits 0 and 100', micro: clamped },
  ].filter(({ micro, label }) => micro !== 0 || label === 'base');
}

/** Distances to the neighbouring tiers of the computed one, and when the next is reached. */
function distances({ state, model, parts }: Explained) {
  const { tier, defaultTier, okMs } = state;
  const up = tier >= defaultTier ? null : ((tier + 1) as Tier);
  return {
    down: tier === 0 ? null : lowerThreshold(tier),
    up: up === null ? null : raiseThreshold(up),
    upTier: up === null ? null : TIER_NAMES[up],
    missing: up === null ? null : Math.max(0, raiseThreshold(up) - parts.trust),
    enoughMs: up === null ? null : okMs,
    risesMs: up === null ? null : nextDue(state, model),
  };
}

/** Why the tier that counts is not the one that evidence comes to; null where it is. */
function because({ state }: Explained): string | null {
  const computed = TIER_NAMES[state.tier];
  const pin = pinOf(state);
  if (pin !== null) return `a pin; evidence comes to ${computed}`;
  if (toldTier(state).tier !== state.tier) return `its floor; evidence comes to ${computed}`;
  return null;
}

function overridesJson({ state, said }: Explained) {
  return state.overrides.map(({ id, kind, tier, permille, fromMs, untilMs, incident }) => ({
    id,
    kind,
    tier: tier === null ? null : TIER_NAMES[tier],
    factor: permille === null ? null : permille / 1000,
    incident,
    from: iso(fromMs),
    until: untilMs === null ? null : iso(untilMs),
    author: said.get(id)?.author ?? null,
    reason: said.get(id)?.reason ?? null,
    ticket: said.get(id)?.ticket ?? null,
  }));
}

export function toJson(explained: Explained) {
  const { principal, atMs, state, parts, events, policy, complete, kernel, lag } = explained;
  const { down, up, missing, enoughMs, risesMs } = distances(explained);
  return {
    schema: 'warden.explain/1',
    principal,
    at: iso(atMs),
    complete,
    tier: TIER_NAMES[effectiveTier(state)],
    computed_tier: TIER_NAMES[state.tier],
    default_tier: TIER_NAMES[state.defaultTier],
    floor: TIER_NAMES[state.floor],
    ceiling: policy === null ? null : TIER_NAMES[policy.ceiling as Tier],
    because: because(explained),
    trust_micropoints: parts.trust,
    terms: terms(explained).map(({ label, micro }) => ({ label, micropoints: micro })),
    signals: parts.signals.map((signal) => ({
      id: signal.id,
      category: signal.category,
      mass_micropoints: signal.mass,
      weight_micropoints: signal.weight,
      count: signal.count,
      age_ms: signal.ageMs,
      half_life_ms: signal.halfLifeMs,
      events: events.get(signal.id) ?? [],
    })),
    lowered_below_micropoints: down,
    raised_from_micropoints: up,
    missing_micropoints: missing,
    enough_from: enoughMs === null ? null : iso(enoughMs),
    rises: risesMs === null ? null : iso(risesMs),
    sticky: state.sticky,
    overrides: overridesJson(explained),
    kernel: typeof kernel === 'string' ? { unavailable: kernel } : kernel,
    lag_records: lag,
    policy: state.policyHash,
    model: state.modelVersion,
  };
}

function sumTable(explained: Explained): string {
  const sum = new Table({
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right'],
  });
  for (const { label, micro } of terms(explained)) sum.push([label, points(micro)]);
  sum.push(['= trust', points(explained.parts.trust)]);
  return sum.toString();
}

function signalLines({ parts, events }: Explained): string[] {
  return parts.signals.flatMap(({ id, category, count, ageMs, halfLifeMs, weight }) => [
    '',
    `${id} (${category}): weight ${points(weight)}, half-life ${days(halfLifeMs)}, ` +
      `raised ${count} times, last ${days(ageMs)} ago`,
    ...(events.get(id) ?? []).map((event) => `  ${safeText(event)}`),
  ]);
}

function changeLines(explained: Explained): string[] {
  const { state, parts } = explained;
  const { down, up, upTier, missing, enoughMs, risesMs } = distances(explained);
  const lines: string[] = [];
  if (down !== null) {
    lines.push(`down: below ${points(down)}, ${points(parts.trust - down)} from here`);
  }
  if (up !== null) {
    const gap = missing === 0 ? 'there already' : `${points(missing ?? 0)} from here`;
    lines.push(`up to ${upTier}: from ${points(up)}, ${gap}`);
    const when = risesMs === null ? 'never by itself' : iso(risesMs);
    const enough = enoughMs === null ? '' : `, with enough trust from ${iso(enoughMs)} on`;
    lines.push(`  if nothing new happens: ${when}${enough}`);
  }
  if (state.sticky) lines.push('tampering: out of denied only by a pardon that names S01');
  return lines;
}

function overrideLines(explained: Explained): string[] {
  return overridesJson(explained).map((one) => {
    const what = one.tier ?? (one.factor === null ? '' : `evidence times ${one.factor}`);
    const end = one.until === null ? 'until lifted' : `until ${one.until}`;
    const who = `by ${one.author ?? 'unknown'}: ${one.reason ?? 'unknown'}`;
    const ticket = one.ticket === null ? '' : ` (${one.ticket})`;
    const kind = one.incident ? 'incident' : one.kind.replace('_', '-');
    return safeText(`override ${one.id}: ${kind} ${what} ${end}, ${who}${ticket}`);
  });
}

function kernelLines({ kernel, lag }: Explained): string[] {
  if (kernel === null) return [];
  if (typeof kernel === 'string') return [`this host's kernel: ${safeText(kernel)}`];
  const behind = lag === 0 ? 'up to date' : `${lag} tier records behind`;
  return [
    `this host's kernel (${behind}):`,
    ...kernel.subjects.map(({ subject, tier, revision, reflex }) => {
      const held = tier === null ? 'no entry: the default tier' : `${tier}, revision ${revision}`;
      return `  ${subject}: ${held}${reflex === null ? '' : `, reflex: ${reflex}`}`;
    }),
    ...(kernel.host_ceiling === null
      ? []
      : [`  all but known loaders: at most ${kernel.host_ceiling}, for the fall of who was root`]),
    ...kernel.raises.map(({ subject, kind, id, left_ms }) =>
      safeText(`  ${subject}: ${kind}, ${Math.ceil(left_ms / 1000)} s left, id ${id}`),
    ),
  ];
}

export function print(explained: Explained): void {
  const { principal, state, parts, policy, atMs, complete } = explained;
  const name = displayNames()(principal);
  const tier = TIER_NAMES[effectiveTier(state)];
  const reason = because(explained);
  const why = reason === null ? '' : ` (by ${reason})`;
  const lines = [
    colors.bold(safeText(name === principal ? name : `${name} (${principal})`)),
    `trust ${points(parts.trust)}, tier ${tier}${why}, at ${iso(atMs)}`,
    ...(complete ? [] : ['the log was trimmed: what stood before its begin is not known']),
    '',
    sumTable(explained),
    ...signalLines(explained),
    '',
    ...changeLines(explained),
    ...overrideLines(explained),
    ...(policy === null ? [] : [`ceiling of the host: ${TIER_NAMES[policy.ceiling as Tier]}`]),
    ...(state.floor === 0 ? [] : [`floor by policy: ${TIER_NAMES[state.floor]}`]),
    ...kernelLines(explained),
    `policy ${state.policyHash}, model trust/${state.modelVersion}`,
  ];
  console.log(lines.join('\n'));
}
