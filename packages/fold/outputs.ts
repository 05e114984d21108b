import type { FollowedEvent } from '#chain';
import {
  type Control,
  type Event,
  encode,
  formatEventId,
  type HostName,
  type Incarnation,
  type Lane,
  lane as laneNumber,
  laneOf,
  type Reflex,
} from '#event';
import type { Output } from '#log';
import { type FoldOutcome, type Model, type TierChange, tierRecord } from '#trust';

/** Id of a frame's event. */
export function eventIdOf(
  frame: { host: string; incarnation: string; lane: number },
  sequence: number,
) {
  return formatEventId({
    host: frame.host as HostName,
    incarnation: frame.incarnation as Incarnation,
    lane: laneNumber(frame.lane),
    sequence: sequence as never,
  });
}

/** The event's own bytes with what the fold made of it. */
export function enrichedOutput(
  frame: { host: string; incarnation: string; lane: number },
  entry: FollowedEvent,
  event: Event,
  outcome: FoldOutcome,
): Output {
  const value = encode('Enriched', {
    host: frame.host,
    incarnation: frame.incarnation,
    lane: frame.lane,
    sequence: entry.sequence,
    event: entry.bytes,
    trustBefore: outcome.before,
    trustAfter: outcome.after,
    tier: outcome.tier,
    signals: outcome.signals.map(({ id }) => id),
  });
  return { topic: 'bpf.enriched', lane: frame.lane, key: event.principal, value };
}

/** The facts of an event that raised signals. */
export function signalOutput(
  lane: Lane,
  event: Event,
  id: string,
  outcome: FoldOutcome,
  facts: string,
): Output {
  const value = encode('Signal', {
    principal: event.principal,
    event: id,
    timeMs: outcome.tEffMs,
    signals: outcome.signals.map((signal) => ({ id: signal.id, added: signal.added })),
    facts,
  });
  return { topic: 'bpf.signals', lane, key: event.principal, value };
}

/** What a REFLEX event tells of; null for any other. */
export function reflexOf(event: Event, host: string): Reflex | null {
  if (event.act.command !== 'REFLEX') return null;
  const said = (key: string) => event.details.find((detail) => detail.key === key)?.value ?? '';
  return { host, bootId: said('boot_id'), bootNs: said('boot_ns') };
}

/**
 * A control record with its clamped time and without a MAC: what changed the fold besides events,
 * for those who judge it again.
 */
export function controlSignal(control: Control, timeMs: number): Output {
  const { principal, lane } = control;
  const value = encode('Control', { ...control, timeMs, mac: Buffer.alloc(0) });
  return { topic: 'bpf.signals', lane, key: principal ?? String(lane), value };
}

/** What hosts are to follow; null where a tier stays as it is. */
export function tierOutput(change: TierChange, model: Model): Output | null {
  const tier = tierRecord(change, model);
  if (tier === null) return null;
  const { principal } = change;
  return {
    topic: 'bpf.tiers',
    lane: laneOf(principal),
    key: principal,
    value: encode('Tier', tier),
  };
}
