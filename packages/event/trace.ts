import { hash } from 'node:crypto';
import type { Event } from './event.ts';

/** The way of an act, a span each; the parent of each is the one before. */
export const HOPS = ['store', 'send', 'fold', 'enforce'] as const;
export type Hop = (typeof HOPS)[number];

/** W3C trace context of a hop: hex. `parent` is null for the first. */
export interface TraceIds {
  readonly trace: string;
  readonly span: string;
  readonly parent: string | null;
}

/** Of what is neither refused nor would be, one event of so many in a lane is traced. */
const EVERY = 1024;

/**
 * Whether an event is traced: every denial, and a sample of the rest. Whoever has the event comes
 * to the same answer, so nobody has to be told.
 */
export function isTraced(event: Pick<Event, 'verdict'>, sequence: number): boolean {
  return event.verdict.decision !== 'allow' || sequence % EVERY === 0;
}

const hex = (text: string, digits: number) => hash('sha256', text, 'hex').slice(0, digits);

/** Ids that follow from the event's: each hop knows them, and those of the hop before. */
export function traceIds(event: string, hop: Hop): TraceIds {
  const before = HOPS[HOPS.indexOf(hop) - 1];
  const span = (one: Hop) => hex(`${one} ${event}`, 16);
  return {
    trace: hex(`trace ${event}`, 32),
    span: span(hop),
    parent: before === undefined ? null : span(before),
  };
}

/** The header of what a hop sends on, sampled. */
export function traceparent(event: string, hop: Hop): string {
  const { trace, span } = traceIds(event, hop);
  return `00-${trace}-${span}-01`;
}
