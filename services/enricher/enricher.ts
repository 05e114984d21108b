import { LANES, type Lane, lane as laneNumber, type Override } from '#event';
import {
  controlOf,
  controlOutput,
  dueControlId,
  type Fault,
  Fold,
  type Folded,
  type OpenKeys,
  parseDueKey,
  seal,
  type Traced,
} from '#fold';
import { LogError, type LogRecord, type ReadPast, readPast } from '#log';
import { canonical, hashPolicy, type Policy } from '#policy';
import type { FoldStore, Rejected } from '#state';
import { Intake } from './intake.ts';

export interface EnricherOptions {
  readonly store: FoldStore;
  /** The partition of `bpf.events` that is folded, and its lanes; by default 0 with all lanes. */
  readonly partition?: number;
  readonly lanes?: readonly number[];
  readonly keys: OpenKeys;
  readonly policy: Policy;
  /** Told of records that could not be folded; they are skipped, and this is how that is said. */
  readonly onFault: (fault: Fault) => void;
  /** Told of what operators said, once it is folded; `refused`: why it was not applied. */
  readonly onOverride: (override: Override, refused: string | null) => void;
  /** Asked where a record has a schema that nobody here knows; how many were learned so far. */
  readonly learn?: () => Promise<number>;
  /** Told of traced events once they are folded. */
  readonly onTraced?: (traced: readonly Traced[]) => void;
  readonly now: () => number;
}

/** What a step came to. `firstMs`: when the log took in the first record of its batch. */
export interface Step {
  readonly more: boolean;
  readonly records: number;
  readonly events: number;
  readonly firstMs: number | null;
}

const ALL_LANES = Array.from({ length: LANES }, (_, lane) => lane);
/** Faults that are no fault of a record: what it follows is missing. */
const HOLES: ReadonlySet<string> = new Set(['SEQUENCE_GAP', 'DUPLICATE']);
const DUE_BATCH = 100;
const RELOOK_MS = 100;
/** A timer that is due by our clock and not by the log's, which may be far behind. */
const EARLY_MS = 1000;

/**
 * Folds the log: joins each event with its principal's trust and commits output, state and position
 * as one. What changes a fold other than events (a policy, a due timer) it writes into the lane
 * first and applies when it reads it back.
 */
export class Enricher {
  private readonly options: EnricherOptions;
  private readonly fold: Fold;
  private readonly intake: Intake;
  private readonly source: { readonly topic: 'bpf.events'; readonly partition: number };
  private readonly lanes: readonly number[];
  private readonly nextDueMs = new Map<number, number>();
  /** Lanes by the id of a due record that is written and not folded yet. */
  private readonly inFlight = new Map<string, Lane>();
  private next = 0;
  private learned = 0;
  readonly totals = { records: 0, events: 0, commits: 0 };

  private constructor(options: EnricherOptions) {
    this.options = options;
    const { store, keys, partition = 0, lanes = ALL_LANES } = options;
    this.source = { topic: 'bpf.events', partition };
    this.lanes = lanes;
    this.fold = new Fold({ state: store, keys, lanes });
    this.intake = new Intake({ ...options, partition });
  }

  static async open(options: EnricherOptions): Promise<Enricher> {
    const enricher = new Enricher(options);
    const { store } = options;
    const position = await store.position(enricher.position);
    enricher.next = position === null ? await enricher.start() : Number(position);
    for (const n of enricher.lanes) {
      const [first] = await store.scan('due', { lane: n, limit: 1 });
      const dueMs = first === undefined ? Number.POSITIVE_INFINITY : parseDueKey(first.key).dueMs;
      enricher.nextDueMs.set(n, dueMs);
    }
    await enricher.intake.restore();
    await enricher.announcePolicy();
    return enricher;
  }

  private get position(): string {
    return `enricher/bpf.events/${this.source.partition}`;
  }

  private start(): Promise<number> {
    return this.options.store.log.start(this.source);
  }

  /** Where the next step reads on. */
  get places(): {
    topic: 'bpf.events' | 'bpf.overrides' | 'bpf.external';
    partition: number;
    from: number;
  }[] {
    return [{ ...this.source, from: this.next }, ...this.intake.places];
  }

  /** Writes the policy into each lane whose fold does not have it yet. */
  private async announcePolicy(): Promise<void> {
    const { store, policy, now, keys } = this.options;
    const hash = hashPolicy(policy);
    const text = canonical(policy);
    const timeMs = now();
    const outputs = [];
    for (const n of this.lanes) {
      const lane = laneNumber(n);
      if ((await this.fold.policyHash(lane)) === hash) continue;
      const id = `policy/${hash}/${timeMs}`;
      const what = { policyHash: hash, policy: text };
      const control = controlOf({ id, lane, kind: 'policy', timeMs, ...what });
      outputs.push(controlOutput(seal('Control', control, keys.control)));
    }
    if (outputs.length > 0) await store.commit({ outputs, state: [], position: [] });
  }

  /** Folds one batch. `more`: something was there. An error of the store leaves nothing changed. */
  async step(): Promise<Step> {
    const { store, onFault, onOverride, onTraced } = this.options;
    await this.writeDue();
    await this.intake.step();
    const { records, damaged, next } = await this.readOn();
    if (damaged !== null) {
      onFault({ offset: next - 1, lane: 0, code: damaged.code, why: damaged.message });
    } else if (records.length === 0) return { more: false, records: 0, events: 0, firstMs: null };
    const folded = await this.apply(records);
    await store.commit({
      outputs: folded.outputs,
      state: folded.state,
      position: [{ source: this.position, next: BigInt(next) }],
      rejected: this.rejected(folded.faults, records),
    });
    this.fold.committed();
    this.next = next;
    for (const { lane, dueMs } of folded.dues) this.noteDue(lane, dueMs);
    this.landed(folded.controls);
    for (const fault of folded.faults) onFault(fault);
    if (folded.traced.length > 0) onTraced?.(folded.traced);
    for (const { override, refused } of folded.overrides) onOverride(override, refused);
    this.totals.records += records.length;
    this.totals.events += folded.events;
    this.totals.commits += 1;
    const firstMs = records[0]?.appendedMs ?? null;
    return { more: true, records: records.length, events: folded.events, firstMs };
  }

  /** Once more where a schema was learned on the way: nothing has been committed. */
  private async apply(records: readonly LogRecord[]): Promise<Folded> {
    const folded = await this.fold.apply(records);
    const { learn } = this.options;
    const isUnknown = folded.faults.some(({ code }) => code === 'UNKNOWN_SCHEMA');
    if (!isUnknown || learn === undefined) return folded;
    const learned = await learn();
    if (learned === this.learned) return folded;
    this.learned = learned;
    return this.fold.apply(records);
  }

  /** What the log has deleted before it was folded is gone: said, and gone on behind it. */
  private async readOn(): Promise<ReadPast> {
    const { store, onFault } = this.options;
    try {
      return await readPast(store.log, this.source, this.next);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'TRIMMED') throw error;
      onFault({ offset: this.next, lane: 0, code: error.code, why: error.message });
      this.next = await this.start();
      return readPast(store.log, this.source, this.next);
    }
  }

  /** Each record that is at fault, once, with the first thing that is wrong with it. */
  private rejected(faults: readonly Fault[], records: readonly LogRecord[]): Rejected[] {
    const rejected = new Map<number, Rejected>();
    for (const { offset, code, why } of faults) {
      const record = records.find((one) => one.offset === offset);
      if (record === undefined || HOLES.has(code) || rejected.has(offset)) continue;
      rejected.set(offset, { ...this.source, record, code, why });
    }
    return [...rejected.values()];
  }

  /**
   * A timer that was due by our clock may not have been by the log's: then it is still in the
   * table, and its lane is looked at again.
   */
  private landed(controls: readonly string[]): void {
    for (const id of controls) {
      const lane = this.inFlight.get(id);
      if (lane === undefined) continue;
      this.inFlight.delete(id);
      this.noteDue(lane, this.options.now() + EARLY_MS);
    }
  }

  private dueMs(lane: number): number {
    return this.nextDueMs.get(lane) ?? Number.POSITIVE_INFINITY;
  }

  private noteDue(lane: Lane, dueMs: number): void {
    this.nextDueMs.set(lane, Math.min(this.dueMs(lane), dueMs));
  }

  /** ms from now until the next timer of a principal, for the caller's wait. */
  get idleMs(): number {
    return Math.max(0, Math.min(...this.nextDueMs.values()) - this.options.now());
  }

  private async writeDue(): Promise<void> {
    const nowMs = this.options.now();
    for (const n of this.lanes) {
      if (this.dueMs(n) <= nowMs) await this.writeDueOfLane(laneNumber(n), nowMs);
    }
  }

  /** A control record for each timer that is due; the timer goes when its record is folded. */
  private async writeDueOfLane(lane: Lane, nowMs: number): Promise<void> {
    const { store, keys } = this.options;
    const entries = await store.scan('due', { lane, limit: DUE_BATCH });
    const timers = entries.map(({ key }) => parseDueKey(key));
    const outputs = [];
    for (const { dueMs, principal } of timers) {
      const id = dueControlId(principal, dueMs);
      if (dueMs > nowMs || this.inFlight.has(id)) continue;
      this.inFlight.set(id, lane);
      const control = controlOf({ id, lane, kind: 'due', principal, timeMs: nowMs });
      outputs.push(controlOutput(seal('Control', control, keys.control)));
    }
    if (outputs.length > 0) await store.commit({ outputs, state: [], position: [] });
    // Timers in flight stay in the table until they are folded: a full page may hide others.
    const waiting = timers.find(({ dueMs }) => dueMs > nowMs)?.dueMs ?? Number.POSITIVE_INFINITY;
    this.nextDueMs.set(lane, entries.length === DUE_BATCH ? nowMs + RELOOK_MS : waiting);
  }
}
