import { LANES, type Lane, lane as laneNumber, type Override } from '#event';
import {
  controlOf,
  controlOutput,
  dueControlId,
  type Fault,
  FOLD_POSITION,
  Fold,
  type OpenKeys,
  parseDueKey,
  seal,
} from '#fold';
import { readPast } from '#log';
import { canonical, hashPolicy, type Policy } from '#policy';
import type { Store } from '#state';
import { Intake } from './intake.ts';

export interface EnricherOptions {
  readonly store: Store;
  readonly keys: OpenKeys;
  readonly policy: Policy;
  /** Told of records that could not be folded; they are skipped, and this is how that is said. */
  readonly onFault: (fault: Fault) => void;
  /** Told of what operators said, once it is folded; `refused`: why it was not applied. */
  readonly onOverride: (override: Override, refused: string | null) => void;
  readonly now: () => number;
}

const PARTITION = { topic: 'bpf.events', partition: 0 } as const;
const DUE_BATCH = 100;
const RELOOK_MS = 100;

/**
 * Folds the log: joins each event with its principal's trust and commits output, state and position
 * as one. What changes a fold other than events (a policy, a due timer) it writes into the lane
 * first and applies when it reads it back.
 */
export class Enricher {
  private readonly options: EnricherOptions;
  private readonly fold: Fold;
  private readonly intake: Intake;
  private readonly nextDueMs: number[] = [];
  private readonly inFlight = new Set<string>();
  private next = 0;
  readonly totals = { records: 0, events: 0, commits: 0 };

  private constructor(options: EnricherOptions) {
    this.options = options;
    const { store, keys } = options;
    this.fold = new Fold({ state: store, keys });
    this.intake = new Intake(options);
  }

  static async open(options: EnricherOptions): Promise<Enricher> {
    const enricher = new Enricher(options);
    const { store } = options;
    enricher.next = Number((await store.position(FOLD_POSITION)) ?? 0n);
    for (let n = 0; n < LANES; n++) {
      const [first] = await store.scan('due', { lane: n, limit: 1 });
      enricher.nextDueMs.push(
        first === undefined ? Number.POSITIVE_INFINITY : parseDueKey(first.key).dueMs,
      );
    }
    await enricher.intake.restore();
    await enricher.announcePolicy();
    return enricher;
  }

  /** Writes the policy into each lane whose fold does not have it yet. */
  private async announcePolicy(): Promise<void> {
    const { store, policy, now, keys } = this.options;
    const hash = hashPolicy(policy);
    const text = canonical(policy);
    const timeMs = now();
    const outputs = [];
    for (let n = 0; n < LANES; n++) {
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
  async step(): Promise<{ more: boolean; events: number }> {
    const { store, onFault, onOverride } = this.options;
    await this.writeDue();
    await this.intake.step();
    const { records, damaged, next } = await readPast(store.log, PARTITION, this.next);
    if (damaged !== null) {
      onFault({ offset: next - 1, lane: 0, code: damaged.code, why: damaged.message });
    } else if (records.length === 0) return { more: false, events: 0 };
    const folded = await this.fold.apply(records);
    await store.commit({
      outputs: folded.outputs,
      state: folded.state,
      position: [{ source: FOLD_POSITION, next: BigInt(next) }],
    });
    this.fold.committed();
    this.next = next;
    for (const { lane, dueMs } of folded.dues) this.noteDue(lane, dueMs);
    for (const id of folded.controls) this.inFlight.delete(id);
    for (const fault of folded.faults) onFault(fault);
    for (const { override, refused } of folded.overrides) onOverride(override, refused);
    this.totals.records += records.length;
    this.totals.events += folded.events;
    this.totals.commits += 1;
    return { more: true, events: folded.events };
  }

  private noteDue(lane: Lane, dueMs: number): void {
    this.nextDueMs[lane] = Math.min(this.nextDueMs[lane] as number, dueMs);
  }

  /** ms from now until the next timer of a principal, for the caller's wait. */
  get idleMs(): number {
    return Math.max(0, Math.min(...this.nextDueMs) - this.options.now());
  }

  private async writeDue(): Promise<void> {
    const nowMs = this.options.now();
    for (let n = 0; n < LANES; n++) {
      if ((this.nextDueMs[n] as number) <= nowMs) await this.writeDueOfLane(laneNumber(n), nowMs);
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
      this.inFlight.add(id);
      const control = controlOf({ id, lane, kind: 'due', principal, timeMs: nowMs });
      outputs.push(controlOutput(seal('Control', control, keys.control)));
    }
    if (outputs.length > 0) await store.commit({ outputs, state: [], position: [] });
    // Timers in flight stay in the table until they are folded: a full page may hide others.
    const waiting = timers.find(({ dueMs }) => dueMs > nowMs)?.dueMs ?? Number.POSITIVE_INFINITY;
    this.nextDueMs[lane] = entries.length === DUE_BATCH ? nowMs + RELOOK_MS : waiting;
  }
}
