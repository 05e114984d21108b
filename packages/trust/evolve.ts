import type { Override } from '#event';
import { decay } from './decay.ts';
import { type Model, parametersOf, type Standing, signalById } from './model.ts';
import { applyOverride, endOverrides } from './override.ts';
import type { Acted, Decision, SignalAdded } from './records.ts';
import { creditAt, trustAt } from './score.ts';
import {
  CONTROLS_MAX,
  EVIDENCE_DAYS,
  EVIDENCE_WEIGHT,
  type Evidence,
  type TrustState,
} from './state.ts';
import {
  canRise,
  DEMOTION_LIFE_MS,
  DEMOTIONS_MAX,
  fallTo,
  raiseThreshold,
  settleRise,
  type Tier,
} from './tiers.ts';
import { DAY_MS, dayOf } from './time.ts';

/** The state after a decision. Pure. */
export function evolve(state: TrustState, decision: Decision, model: Model): TrustState {
  if (decision.type === 'acted') return evolveActed(state, decision, model);
  const { tMs } = decision;
  const next = evolveControl({ ...state, tMs, keptMs: tMs }, decision, model);
  // A control record may be older than the last act: it is judged at its own time.
  return next.tMs >= state.tMs ? next : { ...next, tMs: state.tMs };
}

function evolveControl(
  state: TrustState,
  decision: Exclude<Decision, Acted>,
  model: Model,
): TrustState {
  switch (decision.type) {
    case 'control-applied':
      return {
        ...state,
        controls: [...state.controls, decision.control].slice(-CONTROLS_MAX),
      };
    case 'policy-changed':
      return evolvePolicy(state, decision.standing, model);
    case 'timer-ran-off':
      return evolveTimer(state, model);
    case 'reported':
      return evolveReported(state, decision.signals, model);
    case 'overridden':
      return evolveOverride(state, decision.override, model);
    case 'override-refused':
      return state;
  }
}

function evolveActed(
  state: TrustState,
  { tMs, signals, hosts, windows, classes }: Acted,
  model: Model,
): TrustState {
  const day = dayOf(tMs);
  const moved = { ...state, tMs, hosts, windows, classes };
  if (day === state.activeDay && signals.length === 0) return moved;
  const kept = { ...moved, keptMs: tMs };
  const today = day === state.activeDay ? kept : beginDay(kept, day, model);
  if (signals.length === 0) return settleRise(today, model);
  return settleRise(demote(addSignals(today, signals, model), model), model);
}

function beginDay(state: TrustState, day: number, model: Model): TrustState {
  return {
    ...state,
    credit: creditAt(state, state.tMs),
    activeDay: day,
    clean: true,
    activeDays: Math.min(EVIDENCE_DAYS, state.activeDays + 1),
    evidence: forget(state.evidence, state.tMs, model),
  };
}

/** Without what has decayed to nothing. A day's grace keeps episodes that added nothing. */
function forget(all: readonly Evidence[], tMs: number, model: Model): readonly Evidence[] {
  const kept = all.filter(({ number, mass, tMs: since }) => {
    const { halfLifeMs } = parametersOf(model, number);
    return tMs - since < DAY_MS || decay(mass, tMs - since, halfLifeMs) > 0;
  });
  return kept.length === all.length ? all : kept;
}

const COUNT_MAX = 2_147_483_647;

function addSignals(state: TrustState, signals: readonly SignalAdded[], model: Model): TrustState {
  let { evidence, credit, sticky } = state;
  for (const { id, added } of signals) {
    const { number } = signalById(id);
    const { weight, signal } = parametersOf(model, number);
    evidence = addMass(evidence, { number, added, tMs: state.tMs }, model);
    if (weight >= EVIDENCE_WEIGHT) credit = 0;
    if (signal.sticky) sticky = true;
  }
  return { ...state, evidence, credit, sticky, clean: false };
}

function addMass(
  all: readonly Evidence[],
  { number, added, tMs }: { number: number; added: number; tMs: number },
  model: Model,
): readonly Evidence[] {
  const { weight, halfLifeMs } = parametersOf(model, number);
  const at = all.findIndex((evidence) => evidence.number >= number);
  const known = at >= 0 && all[at]?.number === number ? (all[at] as Evidence) : null;
  const left = known === null ? 0 : decay(known.mass, tMs - known.tMs, halfLifeMs);
  const mass = Math.min(left + added, 3 * weight);
  const count = Math.min(COUNT_MAX, (known?.count ?? 0) + 1);
  const place = at < 0 ? all.length : at;
  return all.toSpliced(place, known === null ? 0 : 1, { number, mass, tMs, count });
}

/** Down at once, as far as trust has fallen. */
function demote(state: TrustState, model: Model): TrustState {
  const { tMs } = state;
  const tier = fallTo(state.tier, trustAt(state, tMs, model));
  if (tier === state.tier) return state;
  const recent = state.demotions.filter((demotedMs) => tMs - demotedMs < DEMOTION_LIFE_MS);
  const demotions = [...recent, tMs].slice(-DEMOTIONS_MAX);
  return { ...state, tier, sinceMs: tMs, okMs: null, demotions };
}

/** Not an act: no day begins with it. */
function evolveReported(
  state: TrustState,
  signals: readonly SignalAdded[],
  model: Model,
): TrustState {
  if (signals.length === 0) return state;
  return settleRise(demote(addSignals(state, signals, model), model), model);
}

/**
 * What an operator said counts at once, for old evidence too. Not a demotion: nobody has shown
 * anything new.
 */
function evolveOverride(state: TrustState, override: Override, model: Model): TrustState {
  const next = applyOverride(state, override);
  const settled = settleRise(fall(next, model), model);
  return override.verb === 'pardon' && override.now ? riseNow(settled, model) : settled;
}

/** Down as far as trust reaches, without counting as a demotion. */
function fall(state: TrustState, model: Model): TrustState {
  const tier = fallTo(state.tier, trustAt(state, state.tMs, model));
  return tier === state.tier ? state : { ...state, tier, sinceMs: state.tMs, okMs: null };
}

/** Up without dwell, as far as trust reaches: only by an operator's word. */
function riseNow(state: TrustState, model: Model): TrustState {
  const trust = trustAt(state, state.tMs, model);
  let tier: number = state.tier;
  const stuck = tier === 0 && state.sticky;
  while (!stuck && tier < state.defaultTier && trust >= raiseThreshold((tier + 1) as Tier))
    tier += 1;
  if (tier === state.tier) return state;
  return settleRise({ ...state, tier: tier as Tier, sinceMs: state.tMs, okMs: null }, model);
}

/** Ends what has run out; then up by one tier if it is time. Never before its time. */
function evolveTimer(state: TrustState, model: Model): TrustState {
  const left = endOverrides(state, state.tMs);
  const settled = left === state ? state : settleRise(fall(left, model), model);
  if (!canRise(settled, settled.tMs, model)) return settled;
  const tier = (settled.tier + 1) as Tier;
  return settleRise({ ...settled, tier, sinceMs: settled.tMs, okMs: null }, model);
}

/**
 * A new policy counts from here on, for old evidence too. Who stood at the old default tier stands
 * at the new one, as far as trust reaches; who was lowered stays so. Not counted as a demotion.
 */
function evolvePolicy(state: TrustState, standing: Standing, model: Model): TrustState {
  const { base, defaultTier, floor } = standing;
  const evidence = state.evidence.map((one) => {
    const cap = 3 * parametersOf(model, one.number).weight;
    return one.mass <= cap ? one : { ...one, mass: cap };
  });
  const next = { ...state, policyHash: model.policyHash, base, defaultTier, floor, evidence };
  const stood = state.tier === state.defaultTier ? defaultTier : state.tier;
  const most = Math.min(stood, defaultTier) as Tier;
  const tier = fallTo(most, trustAt(next, state.tMs, model));
  const sinceMs = tier === state.tier ? state.sinceMs : state.tMs;
  const okMs = tier === state.tier ? state.okMs : null;
  return settleRise({ ...next, tier, sinceMs, okMs }, model);
}
