import { type FollowedEvent, follow, type Head } from '#chain';
import {
  type Event,
  EventError,
  type HostName,
  isTraced,
  type Lane,
  lane as laneNumber,
  type PrincipalKey,
} from '#event';
import type { LogRecord } from '#log';
import { Recent, type Store, scanAll } from '#state';
import {
  decodeState,
  encodeState,
  factsOf,
  factsText,
  fold,
  initialState,
  type TrustState,
} from '#trust';
import { dueKey } from './control.ts';
import type { Folded } from './folded.ts';
import { LanePolicies } from './lane-policy.ts';
import {
  controlSignal,
  enrichedOutput,
  eventIdOf,
  reflexOf,
  signalOutput,
  tierOutput,
} from './outputs.ts';
import { controlRecord, inLanes, type Opened, type OpenKeys, openRecord } from './records.ts';

/** What of a lane a batch works on. */
interface Wanted {
  readonly principals: Set<string>;
  readonly marks: Set<string>;
}

interface Loaded {
  readonly lane: Lane;
  readonly marks: readonly (readonly [string, Head | null])[];
  readonly trust: readonly (readonly [string, TrustState | null])[];
}

type StateReader = Pick<Store, 'get' | 'getMany' | 'scan'>;

/** Where the fold of a partition stands: snapshots are taken at it. */
export const FOLD_POSITION = 'enricher/bpf.events/0';

/** States kept decoded. */
const CACHE_COUNT = 10_000;

/** The part of the state that one batch works on: read once, changed in memory, written once. */
interface Working {
  readonly trust: Map<string, TrustState | null>;
  readonly before: Map<string, number | null>;
  readonly lanes: Map<string, Lane>;
  readonly marks: Map<string, { lane: Lane; key: string; head: Head | null; touched: boolean }>;
  readonly result: Folded & { events: number };
}

/**
 * The fold of `bpf.events`: records in, outputs and state changes out, no clock, no other input.
 * The same records from the same state give the same bytes, wherever a batch begins and ends.
 */
export class Fold {
  private readonly state: StateReader;
  private readonly keys: OpenKeys;
  private readonly lanes: ReadonlySet<number> | null;
  private readonly policies: LanePolicies;
  private readonly cache = new Recent<TrustState>(CACHE_COUNT);
  private working: Working | null = null;

  /** `lanes`: those of the partition that is folded; records of others are refused. */
  constructor({
    state,
    keys,
    lanes = null,
  }: {
    state: StateReader;
    keys: OpenKeys;
    lanes?: readonly number[] | null;
  }) {
    this.state = state;
    this.keys = keys;
    this.lanes = lanes === null ? null : new Set(lanes);
    this.policies = new LanePolicies(state);
  }

  /** Hash of the policy that acts in a lane now, null before the first. */
  async policyHash(lane: Lane): Promise<string | null> {
    return (await this.policies.load(lane))?.hash ?? null;
  }

  async apply(records: readonly LogRecord[]): Promise<Folded> {
    const opened = records.map((record) => inLanes(openRecord(record, this.keys), this.lanes));
    const working: Working = {
      trust: new Map(),
      before: new Map(),
      lanes: new Map(),
      marks: new Map(),
      result: emptyResult(),
    };
    this.policies.begin();
    await this.load(opened, working);
    for (const item of opened) {
      if (item.kind === 'frame') this.applyFrame(item, working);
      else if (item.kind === 'control') this.applyControl(item, working);
      else this.fault(item.record, item.code, item.why, working);
    }
    this.writeState(working);
    this.working = working;
    return working.result;
  }

  /** The last `apply` was committed: its states are what the store has. */
  committed(): void {
    if (this.working === null) return;
    for (const [key, state] of this.working.trust) if (state !== null) this.cache.set(key, state);
    this.working = null;
    this.policies.committed();
  }

  private fault(record: LogRecord, code: string, why: string, { result }: Working): void {
    result.faults.push({ offset: record.offset, lane: record.lane, code, why });
  }

  private async load(opened: readonly Opened[], working: Working): Promise<void> {
    const wanted = new Map<Lane, Wanted>();
    for (const item of opened) {
      if (item.kind === 'bad') continue;
      const lane = laneNumber(item.kind === 'frame' ? item.frame.lane : item.control.lane);
      const here = wanted.get(lane) ?? { principals: new Set(), marks: new Set() };
      wanted.set(lane, here);
      if (item.kind === 'frame') here.marks.add(`${item.frame.host}/${item.frame.incarnation}`);
      for (const principal of principalsOf(item)) here.principals.add(principal);
      // A new policy judges everybody in the lane, whoever acts or not.
      if (isPolicy(item)) for (const one of await this.everybody(lane)) here.principals.add(one);
    }
    // A store that has to ask somebody is asked for all lanes at once; the order stays theirs.
    const loaded = await Promise.all([...wanted].map(([lane, here]) => this.loadLane(lane, here)));
    for (const { lane, marks, trust } of loaded) {
      for (const [key, head] of marks) {
        working.marks.set(`${lane}/${key}`, { lane, key, head, touched: false });
      }
      for (const [principal, state] of trust) {
        working.lanes.set(principal, lane);
        working.trust.set(principal, state);
        working.before.set(principal, state?.dueMs ?? null);
      }
    }
  }

  private async everybody(lane: Lane): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of scanAll(this.state, 'trust', lane)) keys.push(key);
    return keys;
  }

  private async loadLane(lane: Lane, wanted: Wanted): Promise<Loaded> {
    const missing = [...wanted.principals].filter(
      (principal) => this.cache.get(principal) === undefined,
    );
    const keys = [...wanted.marks];
    const [stored, marks] = await Promise.all([
      this.state.getMany('trust', lane, missing),
      this.state.getMany('mark', lane, keys),
      this.policies.load(lane),
    ]);
    const states = missing.map((principal, index): [string, TrustState | null] => {
      const bytes = stored[index] ?? null;
      return [principal, bytes === null ? null : decodeState(bytes)];
    });
    const found = new Map(states);
    return {
      lane,
      marks: keys.map((key, index) => {
        const bytes = marks[index] ?? null;
        return [key, bytes === null ? null : parseMark(bytes)];
      }),
      trust: [...wanted.principals].map((principal) => {
        return [principal, this.cache.get(principal) ?? found.get(principal) ?? null];
      }),
    };
  }

  private applyFrame(item: Extract<Opened, { kind: 'frame' }>, working: Working): void {
    const { frame, record } = item;
    const mark = working.marks.get(`${frame.lane}/${frame.host}/${frame.incarnation}`);
    if (mark === undefined) return;
    const followed = follow(mark.head, frame);
    for (const { code, message } of followed.faults) this.fault(record, code, message, working);
    for (const entry of followed.accepted) this.applyEvent(item, entry, working);
    if (followed.head !== mark.head) {
      mark.head = followed.head;
      mark.touched = true;
    }
  }

  private applyEvent(
    { frame, record, events }: Extract<Opened, { kind: 'frame' }>,
    entry: FollowedEvent,
    working: Working,
  ): void {
    const event = events[entry.sequence - frame.first] as Event | EventError;
    if (event instanceof EventError) {
      this.fault(record, event.code, event.message, working);
      return;
    }
    const { result } = working;
    const { principal, timeUs } = event;
    const lane = laneNumber(frame.lane);
    const model = this.policies.model(lane);
    const before = working.trust.get(principal) ?? null;
    const facts = factsOf(event, frame.host as HostName);
    const { state, outcome } = fold(
      before ?? initialState(principal, model),
      {
        type: 'act',
        eventTimeMs: Math.floor(timeUs / 1000),
        appendedMs: record.appendedMs,
        facts,
      },
      model,
    );
    working.trust.set(principal, state);
    result.events += 1;
    const id = eventIdOf(frame, entry.sequence);
    const outputs = [enrichedOutput(frame, entry, event, outcome)];
    // The first act of a day is all that clean days leave to judge by, later.
    if (outcome.signals.length > 0 || outcome.firstOfDay) {
      outputs.push(signalOutput(lane, event, id, outcome, factsText(facts)));
    }
    const reflex = reflexOf(event, frame.host);
    const change = { principal, before, after: state, cause: id, causeTimeUs: timeUs, reflex };
    const tier = tierOutput(change, model);
    if (tier !== null) outputs.push(tier);
    // What moved a tier is traced whether it was refused or not.
    if (tier === null && !isTraced(event, entry.sequence)) {
      result.outputs.push(...outputs);
      return;
    }
    result.outputs.push(...outputs.map((output) => ({ ...output, traced: id })));
    const { command } = event.act;
    result.traced.push({
      id,
      arrivedMs: record.appendedMs,
      principal,
      command,
      tier: outcome.tier,
    });
  }

  private applyControl(item: Extract<Opened, { kind: 'control' }>, working: Working): void {
    const { control } = item;
    const lane = laneNumber(control.lane);
    working.result.controls.push(control.id);
    if (control.kind !== 'policy') {
      if (control.principal === null) return;
      working.result.outputs.push(controlSignal(control, timeOf(item)));
      this.applyTo(control.principal, item, working);
      return;
    }
    const change = this.policies.change(lane, control);
    if (change === null) return;
    working.result.state.push(change);
    working.result.outputs.push(controlSignal(control, timeOf(item)));
    // Sorted: the order of what is written must not depend on how records were batched.
    for (const principal of [...working.lanes.keys()].sort()) {
      if (working.lanes.get(principal) === lane) {
        this.applyTo(principal as PrincipalKey, item, working);
      }
    }
  }

  /**
   * A timer that ran off, the lane's new policy, an operator's or another system's word, for one
   * principal. Only such a word makes a state where there was none.
   */
  private applyTo(
    principal: PrincipalKey,
    item: Extract<Opened, { kind: 'control' }>,
    working: Working,
  ): void {
    const { control, said } = item;
    const before = working.trust.get(principal) ?? null;
    if (before === null && said === null) return;
    const appendedMs = timeOf(item);
    const { id } = control;
    const model = this.policies.model(laneNumber(control.lane));
    const { state, outcome } = fold(
      before ?? initialState(principal, model),
      controlRecord(control, said, { principal, appendedMs }),
      model,
    );
    working.trust.set(principal, state);
    if (said?.kind === 'override') {
      working.result.overrides.push({ override: said.override, refused: outcome.refused });
    }
    // An operator's word counts from when it was said: that is how its latency is measured.
    const causeMs = said?.kind === 'override' ? said.override.timeMs : appendedMs;
    const causeTimeUs = causeMs * 1000;
    const approved = said?.kind === 'override' && said.override.verb === 'approve';
    const change = {
      principal,
      before,
      after: state,
      cause: id,
      causeTimeUs,
      reflex: null,
      approved,
    };
    const tier = tierOutput(change, model);
    if (tier !== null) working.result.outputs.push(tier);
  }

  private writeState(working: Working): void {
    const { result, trust, marks } = working;
    for (const [principal, state] of trust) {
      if (state === null) continue;
      const lane = working.lanes.get(principal) as Lane;
      const cached = this.cache.get(principal);
      if (cached === state) continue;
      result.state.push({ space: 'trust', lane, key: principal, value: encodeState(state) });
      this.writeDue(principal as PrincipalKey, lane, state.dueMs, working);
    }
    for (const { lane, key, head, touched } of marks.values()) {
      if (!touched || head === null) continue;
      result.state.push({ space: 'mark', lane, key, value: formatMark(head) });
    }
  }

  private writeDue(
    principal: PrincipalKey,
    lane: Lane,
    dueMs: number | null,
    { before, result }: Working,
  ): void {
    const old = before.get(principal) ?? null;
    if (old === dueMs) return;
    if (old !== null) {
      result.state.push({ space: 'due', lane, key: dueKey(old, principal), value: null });
    }
    if (dueMs === null) return;
    result.state.push({
      space: 'due',
      lane,
      key: dueKey(dueMs, principal),
      value: Buffer.alloc(0),
    });
    result.dues.push({ lane, dueMs });
  }
}

function emptyResult(): Working['result'] {
  const lists = { outputs: [], state: [], faults: [], dues: [], controls: [], overrides: [] };
  return { ...lists, traced: [], events: 0 };
}

/** When a control record acts: as its writer says, but not after the log took it in. */
function timeOf({ control, record }: Extract<Opened, { kind: 'control' }>): number {
  return Math.min(control.timeMs, record.appendedMs);
}

function isPolicy(item: Opened): boolean {
  return item.kind === 'control' && item.control.kind === 'policy';
}

function principalsOf(item: Opened): string[] {
  if (item.kind === 'bad') return [];
  if (item.kind === 'frame') {
    return item.events.flatMap((event) => (event instanceof EventError ? [] : [event.principal]));
  }
  return item.control.principal === null ? [] : [item.control.principal];
}

/** A mark's value: next sequence and chain hash of one host's incarnation in one lane. */
export function parseMark(bytes: Uint8Array): Head {
  const at = Buffer.from(bytes);
  return { sequence: Number(at.readBigUInt64LE(0)), hash: at.subarray(8, 40) };
}

function formatMark(head: Head): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeBigUInt64LE(BigInt(head.sequence), 0);
  bytes.set(head.hash, 8);
  return bytes;
}
