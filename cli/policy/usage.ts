import { decode, type Enriched, type Event, isSystemEvent } from '#event';
import { readPast, type Topic } from '#log';
import type { Store } from '#state';

const DAY_MS = 86_400_000;

/** Values of a topic, oldest first; what is damaged is passed over. */
export async function* valuesOf(store: Store, topic: Topic): AsyncGenerator<Uint8Array> {
  const partition = { topic, partition: 0 };
  for (let next = await store.log.start(partition); ; ) {
    const past = await readPast(store.log, partition, next);
    next = past.next;
    if (past.damaged === null && past.records.length === 0) return;
    for (const { value } of past.records) yield value;
  }
}

/** Acts since a time, with what was known of them. */
export async function* actsSince(
  store: Store,
  sinceMs: number,
): AsyncGenerator<{ readonly enriched: Enriched; readonly event: Event }> {
  for await (const value of valuesOf(store, 'bpf.enriched')) {
    const enriched = decode('Enriched', value);
    const event = decode('Event', enriched.event);
    if (event.timeUs >= sinceMs * 1000 && !isSystemEvent(event)) yield { enriched, event };
  }
}

/** Those of whom an operator has said what they were: an incident, or a false alarm. */
async function labelled(store: Store): Promise<ReadonlySet<string>> {
  const principals = new Set<string>();
  for await (const value of valuesOf(store, 'bpf.overrides')) {
    const { verb, principal } = decode('Override', value);
    if (verb === 'label') principals.add(principal);
  }
  return principals;
}

/** Acts of people without a label that would have been refused. */
export interface WouldDeny {
  /** Rounded up; of at least one day. */
  readonly perDay: number;
  /** From when on the log knows: it may have been trimmed since the stage began. */
  readonly fromMs: number;
  /** By principal and rule, most first. */
  readonly worst: readonly {
    readonly principal: string;
    readonly rule: string;
    readonly count: number;
  }[];
}

export async function wouldDenials(
  store: Store,
  sinceMs: number,
  nowMs: number,
): Promise<WouldDeny> {
  const known = await labelled(store);
  const counts = new Map<string, { principal: string; rule: string; count: number }>();
  let total = 0;
  let fromMs = sinceMs;
  const isTrimmed = (await store.log.start({ topic: 'bpf.enriched', partition: 0 })) > 0;
  let isFirst = true;
  for await (const { event } of actsSince(store, sinceMs)) {
    const { principal, verdict, act } = event;
    if (isTrimmed && isFirst) fromMs = Math.max(sinceMs, Math.floor(event.timeUs / 1000));
    isFirst = false;
    if (verdict.decision !== 'would_deny' || known.has(principal)) continue;
    const rule = verdict.rule ?? 'no rule';
    const count = Math.max(1, act.count);
    total += count;
    const key = `${principal} ${rule}`;
    const before = counts.get(key)?.count ?? 0;
    counts.set(key, { principal, rule, count: before + count });
  }
  const perDay = Math.ceil(total / Math.max(1, (nowMs - fromMs) / DAY_MS));
  return { perDay, fromMs, worst: [...counts.values()].toSorted((a, b) => b.count - a.count) };
}
