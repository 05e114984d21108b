import { hash } from 'node:crypto';
import type { PrincipalKey } from '#event';
import type { Recall } from './detect.ts';
import type { ActFacts } from './facts.ts';
import {
  type ClassSeen,
  classAge,
  classOf,
  countBurst,
  type HostSeen,
  hasSeen,
  hostHash,
  putWindow,
  seeClass,
  seeHost,
  type Window,
  windowOf,
} from './memory.ts';
import { type Model, parametersOf, signalById } from './model.ts';
import { overrideProblem } from './override.ts';
import type {
  Acted,
  ActRecord,
  ControlRecord,
  Decision,
  SignalAdded,
  TrustRecord,
} from './records.ts';
import { RAISED_SIGNALS, REMEMBERED_SIGNALS, type Signal } from './signals.ts';
import { EVIDENCE_DAYS, EVIDENCE_WEIGHT, type TrustState } from './state.ts';
import { dayOf, effectiveTime } from './time.ts';

/** A control record's id in 48 bits: one in 10^13 that a new one is taken for one of 32 kept. */
export function controlNumber(id: string): number {
  return Number.parseInt(hash('sha256', id, 'hex').slice(0, 12), 16);
}

/** What a record means for this state, in order; nothing for a control record seen before. Pure. */
export function decide(state: TrustState, record: TrustRecord, model: Model): readonly Decision[] {
  if (record.type === 'act') {
    const act = decideAct(state, record, model);
    return [...policyChange(state, record.facts.principal, act.tMs, model), act];
  }
  const control = controlNumber(record.id);
  if (state.controls.includes(control)) return [];
  const tMs = Math.max(state.keptMs, record.appendedMs);
  if (record.kind === 'due' && isEarly(state, tMs)) return [];
  return [
    { type: 'control-applied', tMs, control },
    ...policyChange(state, record.principal, tMs, model),
    ...decideControl(state, record, tMs, model),
  ];
}

/** By the log's clock the timer still runs: its record comes again, under the same id. */
function isEarly({ dueMs }: TrustState, tMs: number): boolean {
  return dueMs !== null && tMs < dueMs;
}

function decideControl(
  state: TrustState,
  record: ControlRecord,
  tMs: number,
  model: Model,
): readonly Decision[] {
  switch (record.kind) {
    case 'policy':
      return [];
    case 'due':
      return [{ type: 'timer-ran-off', tMs }];
    case 'override': {
      const why = overrideProblem(record.override, state);
      if (why !== null) return [{ type: 'override-refused', tMs, why }];
      return [{ type: 'overridden', tMs, override: record.override }];
    }
    case 'external': {
      const raised = [{ id: EXTERNAL_SIGNAL, permille: record.permille }];
      return [{ type: 'reported', tMs, signals: weigh(raised, state.activeDays, model) }];
    }
  }
}

/** The row of what other systems report. */
const EXTERNAL_SIGNAL = 'S18';

function policyChange(
  state: TrustState,
  principal: PrincipalKey,
  tMs: number,
  model: Model,
): readonly Decision[] {
  if (state.policyHash === model.policyHash) return [];
  return [{ type: 'policy-changed', tMs, standing: model.standingOf(principal) }];
}

function decideAct(state: TrustState, record: ActRecord, model: Model): Acted {
  const { facts, recorded } = record;
  const tMs = effectiveTime(record.eventTimeMs, state.tMs, record.appendedMs);
  const memory = recorded === undefined ? remember(state, facts, tMs) : recallNothing(state, tMs);
  const context = model.contextOf(facts.host, tMs);
  const raised: Raised[] = [];
  let windows = state.windows;
  for (const signal of RAISED_SIGNALS) {
    const { weight, limit } = parametersOf(model, signal.number);
    if (weight === 0) continue;
    let permille = 0;
    if (recorded !== undefined && REMEMBERED_SIGNALS.has(signal.id)) {
      permille = recorded.includes(signal.id) ? 1000 : 0;
    } else if (signal.burst !== undefined) {
      if (!signal.burst.matches(facts)) continue;
      const options = { windowMs: signal.burst.windowMs, limit, count: facts.count };
      const counted = countBurst(windowOf(windows, signal.number), options, tMs);
      windows = putWindow(windows, counted.window);
      if (counted.raised) permille = 1000;
    } else permille = signal.detect?.(facts, memory.recall, model) ?? 0;
    if (permille === 0 || sameEpisode(state, signal, tMs)) continue;
    raised.push({ id: signal.id, permille: inContext(signal, permille, context) });
  }
  return acted(state, { tMs, raised, windows, ...memory.seen }, model);
}

interface Memory {
  readonly recall: Recall;
  readonly seen: { readonly hosts: readonly HostSeen[]; readonly classes: readonly ClassSeen[] };
}

/** What the state knows of this act's host and program, and what it will know. */
function remember(state: TrustState, facts: ActFacts, tMs: number): Memory {
  const hash = hostHash(facts.host);
  const newHost = state.hosts.length > 0 && !hasSeen(state.hosts, hash);
  const seen = { hosts: seeHost(state.hosts, hash, tMs), classes: state.classes };
  // Only a program that came to be: what we refused teaches nothing.
  const isLoaded = facts.command === 'PROG_LOAD' && facts.errno === null && !facts.denied;
  const loaded = isLoaded ? classOf(facts.programType) : null;
  if (loaded === null) return { recall: { tMs, newHost, loaded: null }, seen };
  const { index, kind } = loaded;
  const days = classAge(state.classes, index, dayOf(tMs));
  const classes = seeClass(state.classes, index, dayOf(tMs));
  return { recall: { tMs, newHost, loaded: { kind, days } }, seen: { ...seen, classes } };
}

function recallNothing({ hosts, classes }: TrustState, tMs: number): Memory {
  return { recall: { tMs, newHost: false, loaded: null }, seen: { hosts, classes } };
}

/** A change window makes less of evidence, but never of tampering. */
function inContext({ category }: Signal, permille: number, context: number): number {
  const counted = category === 'tamper' ? Math.max(1000, context) : context;
  return Math.floor((permille * counted) / 1000);
}

function sameEpisode(state: TrustState, { number, episodeMs }: Signal, tMs: number): boolean {
  if (episodeMs === undefined) return false;
  const last = state.evidence.find((evidence) => evidence.number === number);
  return last !== undefined && tMs - last.tMs < episodeMs;
}

/** A signal with how much of its weight counts: confidence times context, permille. */
export interface Raised {
  readonly id: string;
  readonly permille: number;
}

/**
 * An act that raised these signals. Until the third active day only strong evidence counts.
 * Bound: weight <= 1e8, permille <= 1500, product < 2^38.
 */
export function acted(
  state: TrustState,
  act: {
    readonly tMs: number;
    readonly raised: readonly Raised[];
    readonly hosts?: readonly HostSeen[];
    readonly windows?: readonly Window[];
    readonly classes?: readonly ClassSeen[];
  },
  model: Model,
): Acted {
  const { tMs, raised, hosts = state.hosts } = act;
  const { windows = state.windows, classes = state.classes } = act;
  const days = state.activeDays + (dayOf(tMs) === state.activeDay ? 0 : 1);
  return { type: 'acted', tMs, signals: weigh(raised, days, model), hosts, windows, classes };
}

function weigh(raised: readonly Raised[], days: number, model: Model): readonly SignalAdded[] {
  return raised.map(({ id, permille }) => {
    const { weight } = parametersOf(model, signalById(id).number);
    const held = days < EVIDENCE_DAYS && weight < EVIDENCE_WEIGHT;
    return { id, added: held ? 0 : Math.floor((weight * permille) / 1000) };
  });
}
