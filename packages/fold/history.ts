import {
  type Control,
  decode,
  type Lane,
  laneOf,
  type Override,
  type PrincipalKey,
  schemaOf,
} from '#event';
import { DEFAULT_LIMIT, type Log, type LogRecord } from '#log';
import { modelOf, parseCanonical } from '#policy';
import {
  type ActFacts,
  defaultModel,
  fold,
  initialState,
  type Model,
  type TrustRecord,
  type TrustState,
} from '#trust';
import { controlRecord, saidOf } from './records.ts';

const SIGNALS = { topic: 'bpf.signals', partition: 0 } as const;
/** Ids of events kept for each signal, newest last. */
const EVENTS_MAX = 5;

/** What `bpf.signals` tells of one principal, folded again as it was folded then. */
export class History {
  readonly principal: PrincipalKey;
  private readonly lane: Lane;
  private readonly models = new Map<string, Model>();
  private readonly said = new Map<string, Override>();
  private readonly raised = new Map<string, readonly string[]>();
  private held: TrustState | null = null;
  private current: Model = defaultModel;

  constructor(principal: PrincipalKey) {
    this.principal = principal;
    this.lane = laneOf(principal);
  }

  /** null before its first record. */
  get state(): TrustState | null {
    return this.held;
  }

  /** The model of the policy that acts in its lane. */
  get model(): Model {
    return this.current;
  }

  /** By id: everything that operators said of it. */
  get overrides(): ReadonlyMap<string, Override> {
    return this.said;
  }

  /** By signal: ids of the latest events that raised it. */
  get events(): ReadonlyMap<string, readonly string[]> {
    return this.raised;
  }

  /** Takes a record of the topic that is not after `untilMs`; others change nothing. */
  take({ key, value, lane }: LogRecord, untilMs: number): void {
    if (lane !== this.lane) return;
    if (schemaOf(value) === 'Control') this.takeControl(decode('Control', value), untilMs);
    else if (key === this.principal) this.takeSignal(value, untilMs);
  }

  private takeControl(control: Control, untilMs: number): void {
    const { timeMs, kind, principal } = control;
    if (timeMs > untilMs || (kind !== 'policy' && principal !== this.principal)) return;
    if (kind === 'policy') this.current = this.modelFor(control);
    const said = saidOf(control);
    if (said?.kind === 'override') this.said.set(said.override.id, said.override);
    if (this.held === null && said === null) return;
    const whom = { principal: this.principal, appendedMs: timeMs };
    this.fold(controlRecord(control, said, whom));
  }

  private modelFor({ policyHash, policy }: Control): Model {
    const known = this.models.get(policyHash ?? '');
    if (known !== undefined) return known;
    const model = modelOf(parseCanonical(policy ?? ''));
    this.models.set(policyHash ?? '', model);
    return model;
  }

  private takeSignal(value: Uint8Array, untilMs: number): void {
    const { timeMs, facts, signals, event } = decode('Signal', value);
    if (timeMs > untilMs) return;
    const recorded = signals.map(({ id }) => id);
    const times = { eventTimeMs: timeMs, appendedMs: timeMs };
    this.fold({ type: 'act', ...times, facts: JSON.parse(facts) as ActFacts, recorded });
    for (const id of recorded) {
      this.raised.set(id, [...(this.raised.get(id) ?? []), event].slice(-EVENTS_MAX));
    }
  }

  private fold(record: TrustRecord): void {
    const before = this.held ?? initialState(this.principal, this.current);
    this.held = fold(before, record, this.current).state;
  }
}

/**
 * Folds the history of a principal up to `atMs`. `complete` is false where the topic was trimmed:
 * what stood before its first record is then not known.
 */
export async function historyOf(
  log: Log,
  principal: PrincipalKey,
  atMs: number,
): Promise<{ readonly history: History; readonly complete: boolean }> {
  const history = new History(principal);
  const start = await log.start(SIGNALS);
  for (let next = start; ; ) {
    const records = await log.read(SIGNALS, next, DEFAULT_LIMIT);
    for (const record of records) history.take(record, atMs);
    const last = records.at(-1);
    if (last === undefined) return { history, complete: start === 0 };
    next = last.offset + 1;
  }
}
