import {
  type Control,
  decode,
  type Override,
  type PrincipalKey,
  type SignalRecord,
  schemaOf,
} from '#event';
import type { ActFacts, TrustRecord } from '#trust';

/** Something that changed a principal's trust, as `bpf.signals` keeps it. */
export interface Happened {
  readonly timeMs: number;
  /** Id of the event or control record. */
  readonly id: string;
  readonly record: TrustRecord;
}

/** What an analyst said really happened. */
export interface Label {
  readonly principal: PrincipalKey;
  readonly fromMs: number;
  readonly toMs: number;
  readonly verdict: 'tp' | 'fp';
}

/** The past of all principals: each in the order of its lane. */
export interface Past {
  readonly principals: ReadonlyMap<PrincipalKey, readonly Happened[]>;
  readonly labels: readonly Label[];
  /** Canonical text of the last policy that acted, null before any. */
  readonly policy: string | null;
  readonly records: number;
  readonly firstMs: number | null;
}

/**
 * Reads records of `bpf.signals`. Timers and policies of then are left out: whoever judges the past
 * anew has timers of their own, and one policy for all of it.
 */
export class PastReader {
  private readonly principals = new Map<PrincipalKey, Happened[]>();
  private readonly labels: Label[] = [];
  private readonly facts = new Map<string, ActFacts>();
  private readonly seen = new Set<string>();
  private policy: string | null = null;
  private records = 0;
  private firstMs: number | null = null;

  /** Throws `EventError` for bytes that are no such record. */
  take(value: Uint8Array): void {
    this.records += 1;
    if (schemaOf(value) === 'Control') this.takeControl(decode('Control', value));
    else this.takeSignal(decode('Signal', value));
  }

  private takeControl(control: Control): void {
    const { kind, id, timeMs, body, principal } = control;
    if (kind === 'policy') this.policy = control.policy;
    if (kind !== 'override' && kind !== 'external') return;
    if (principal === null || body === null || this.seen.has(id)) return;
    this.seen.add(id);
    const base = { type: 'control', id, principal, appendedMs: timeMs } as const;
    if (kind === 'external') {
      const { permille } = decode('External', body);
      this.put(principal, { timeMs, id, record: { ...base, kind, permille } });
      return;
    }
    const override = decode('Override', body);
    this.noteLabel(override);
    this.put(principal, { timeMs, id, record: { ...base, kind, override } });
  }

  private noteLabel({ verb, principal, fromMs, toMs, label }: Override): void {
    if (verb !== 'label' || fromMs === null || toMs === null) return;
    this.labels.push({ principal, fromMs, toMs, verdict: label === 'tp' ? 'tp' : 'fp' });
  }

  private takeSignal({ principal, event, timeMs, signals, facts }: SignalRecord): void {
    const recorded = signals.map(({ id }) => id);
    const record: TrustRecord = {
      type: 'act',
      eventTimeMs: timeMs,
      appendedMs: timeMs,
      facts: this.factsOf(facts),
      recorded,
    };
    this.put(principal as PrincipalKey, { timeMs, id: event, record });
  }

  /** Most acts of a principal have the very same facts: each text is read once. */
  private factsOf(text: string): ActFacts {
    const known = this.facts.get(text);
    if (known !== undefined) return known;
    const facts = JSON.parse(text) as ActFacts;
    if (this.facts.size < FACTS_MAX) this.facts.set(text, facts);
    return facts;
  }

  private put(principal: PrincipalKey, happened: Happened): void {
    const { timeMs } = happened;
    if (this.firstMs === null || timeMs < this.firstMs) this.firstMs = timeMs;
    const known = this.principals.get(principal);
    if (known === undefined) this.principals.set(principal, [happened]);
    else known.push(happened);
  }

  past(): Past {
    const { principals, labels, policy, records, firstMs } = this;
    return { principals, labels, policy, records, firstMs };
  }
}

const FACTS_MAX = 100_000;
