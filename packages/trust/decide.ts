import { createHash } from 'node:crypto';
import type { PrincipalKey } from '#event';
import {
  countBurst,
  type HostSeen,
  hasSeen,
  hostHash,
  putWindow,
  seeHost,
  type Window,
  windowOf,
} from './memory.ts';
import { type Model, parametersOf, signalById } from './model.ts';
import type { Acted, ActRecord, Decision, TrustRecord } from './records.ts';
import { RAISED_SIGNALS, type Signal } from './signals.ts';
import { EVIDENCE_DAYS, EVIDENCE_WEIGHT, type TrustState } from './state.ts';
import { dayOf, effectiveTime } from './time.ts';

/** A control record's id in 48 bits: one in 10^13 that a new one is taken for one of 32 kept. */
export function controlNumber(id: string): number {
  return createHash('sha256').update(id).digest().readUIntBE(0, 6);
}

/** What a record means for this state, in order; nothing for a control record seen before. Pure. */
export function decide(state: TrustState, record: TrustRecord, model: Model): readonly Decision[] {
  if (record.type === 'act') {
    const act = decideAct(state, record, model);
    return [...policyChange(state, record.facts.principal, act.tMs, model), act];
  }
  const control = controlNumber(record.id);
  if (state.controls.includes(control)) return [];
  const tMs = Math.max(state.tMs, record.appendedMs);
  return [
    { type: 'control-applied', tMs, control },
    ...policyChange(state, record.principal, tMs, model),
    ...(record.kind === 'due' ? [{ type: 'timer-ran-off', tMs } as const] : []),
  ];
}

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
  const { facts } = record;
  const tMs = effectiveTime(record.eventTimeMs, state.tMs, record.appendedMs);
  const hash = hostHash(facts.host);
  const hosts = seeHost(state.hosts, hash, tMs);
  const recall = { tMs, newHost: state.hosts.length > 0 && !hasSeen(state.hosts, hash) };
  const raised: Raised[] = [];
  let windows = state.windows;
  for (const signal of RAISED_SIGNALS) {
    const { weight, limit } = parametersOf(model, signal.number);
    if (weight === 0) continue;
    if (signal.burst !== undefined) {
      if (!signal.burst.matches(facts)) continue;
      const options = { windowMs: signal.burst.windowMs, limit, count: facts.count };
      const counted = countBurst(windowOf(windows, signal.number), options, tMs);
      windows = putWindow(windows, counted.window);
      if (counted.raised) raised.push({ id: signal.id, permille: 1000 });
    } else {
      const permille = signal.detect?.(facts, recall, model) ?? 0;
      if (permille > 0 && !sameEpisode(state, signal, tMs))
        raised.push({ id: signal.id, permille });
    }
  }
  return acted(state, { tMs, raised, hosts, windows }, model);
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
  },
  model: Model,
): Acted {
  const { tMs, raised, hosts = state.hosts, windows = state.windows } = act;
  const days = state.activeDays + (dayOf(tMs) === state.activeDay ? 0 : 1);
  const signals = raised.map(({ id, permille }) => {
    const { weight } = parametersOf(model, signalById(id).number);
    const held = days < EVIDENCE_DAYS && weight < EVIDENCE_WEIGHT;
    return { id, added: held ? 0 : Math.floor((weight * permille) / 1000) };
  });
  return { type: 'acted', tMs, signals, hosts, windows };
}
