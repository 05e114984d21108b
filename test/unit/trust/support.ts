import fc from 'fast-check';
import { hostName, type Override, principalKey } from '#event';
import {
  type ActFacts,
  type FoldOutcome,
  fold,
  initialState,
  type Model,
  makeModel,
  POINT,
  SIGNALS,
  TIER_NAMES,
  type Tier,
  type TierName,
  type TrustRecord,
  type TrustState,
} from '#trust';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../packages/trust/time.ts';

/** Midnight, 2026-01-05, a Monday. */
export const START_MS = 1_767_571_200_000;
export const ALICE = principalKey('uid:10001@corp');
export const HASH = 'ab'.repeat(32);

/** A model that gives everybody this base and default tier. */
export function modelWith(
  standing: { base?: number; defaultTier?: 3 | 4; floor?: Tier } = {},
  rest: Partial<Parameters<typeof makeModel>[0]> = {},
): Model {
  const { base = 90, defaultTier = 3, floor = 0 } = standing;
  const standingOf = () => ({ base: base * POINT, defaultTier, floor });
  return makeModel({ policyHash: HASH, standingOf, ...rest });
}

/** A state old enough for every signal to count. */
export function known(model: Model, principal = ALICE): TrustState {
  return { ...initialState(principal, model), activeDays: 3 };
}

export function factsWith(facts: Partial<ActFacts> = {}): ActFacts {
  return {
    auidStatus: 'counts',
    command: 'MAP_CREATE',
    count: 1,
    decision: 'allow',
    declared: true,
    denied: false,
    errno: null,
    exePath: '/usr/sbin/bpftool',
    helpers: [],
    host: hostName('web-1'),
    initUserns: true,
    loader: null,
    objectOwner: null,
    places: [],
    principal: ALICE,
    programSha256: null,
    programType: null,
    rule: null,
    ...facts,
  };
}

export function act(tMs: number, facts: Partial<ActFacts> = {}): TrustRecord {
  return { type: 'act', eventTimeMs: tMs, appendedMs: tMs, facts: factsWith(facts) };
}

export function due(tMs: number, id = `due/${tMs}`): TrustRecord {
  return { type: 'control', kind: 'due', id, principal: ALICE, appendedMs: tMs };
}

export function replay(state: TrustState, records: readonly TrustRecord[], model: Model) {
  const outcomes: FoldOutcome[] = [];
  let held = state;
  for (const record of records) {
    const step = fold(held, record, model);
    held = step.state;
    outcomes.push(step.outcome);
  }
  return { state: held, outcomes };
}

const gap = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 5_000 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 2 * HOUR_MS }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 * DAY_MS }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 60 * DAY_MS }) },
);

export const factsArb: fc.Arbitrary<ActFacts> = fc
  .record({
    auidStatus: fc.constantFrom('unset', 'counts', 'counts', 'claimed'),
    command: fc.constantFrom(
      'PROG_LOAD',
      'PROG_LOAD',
      'MAP_CREATE',
      'MAP_GET_FD_BY_ID',
      'PROG_GET_NEXT_ID',
      'OBJ_GET_INFO_BY_FD',
      'RING_TAMPER',
      'LOSS',
    ),
    count: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 })),
    decision: fc.constantFrom('allow', 'allow', 'deny', 'would_deny'),
    declared: fc.boolean(),
    denied: fc.boolean(),
    errno: fc.constantFrom(null, null, 'EPERM', 'EACCES', 'EINVAL'),
    exePath: fc.constantFrom('/usr/sbin/bpftool', '/usr/bin/python3', '/tmp/x', '/dev/shm/y'),
    helpers: fc.constantFrom([], [], ['map_lookup_elem'], ['probe_write_user'], ['sys_bpf']),
    host: fc.integer({ min: 1, max: 5 }).map((n) => hostName(`web-${n}`)),
    initUserns: fc.boolean(),
    loader: fc.constantFrom(null, 'cilium'),
    objectOwner: fc.constantFrom(null, ALICE as string, 'cilium@web-1'),
    places: fc.constantFrom([], [], [], ['memfd'], ['deleted'], ['overlay_upper'], ['tmpfs']),
    principal: fc.constant(ALICE),
    programSha256: fc.constantFrom(null, 'aa'.repeat(32), 'bb'.repeat(32)),
    programType: fc.constantFrom(null, 'KPROBE', 'XDP', 'SOCKET_FILTER', 'LSM'),
    rule: fc.constantFrom(null, 'tiers.standard.program_types', 'tiers.standard.helpers'),
  })
  .map((facts) => facts as ActFacts);

const EMPTY = Buffer.alloc(0);

/** An operator's word about ALICE, with everything that its verb does not need left out. */
export function said(override: Partial<Override> & Pick<Override, 'verb'>): Override {
  return {
    id: '00000000000000aa',
    principal: ALICE,
    author: 'carol',
    reason: 'a test',
    ticket: null,
    timeMs: START_MS,
    untilMs: null,
    signals: [],
    tier: null,
    incident: false,
    now: false,
    permille: null,
    hosts: [],
    commands: [],
    fromMs: null,
    toMs: null,
    label: null,
    lifts: null,
    mac: EMPTY,
    ...override,
  };
}

export function word(tMs: number, override: Override): TrustRecord {
  const id = `override/${override.id}`;
  return { type: 'control', kind: 'override', id, principal: ALICE, appendedMs: tMs, override };
}

export function reported(tMs: number, permille: number, id = `external/${tMs}`): TrustRecord {
  return { type: 'control', kind: 'external', id, principal: ALICE, appendedMs: tMs, permille };
}

/** A word as it comes: most are fit, some are refused. */
export interface Word {
  readonly verb: Override['verb'] | 'external';
  readonly tier: TierName;
  readonly ttlMs: number | null;
  readonly permille: number;
  readonly flag: boolean;
  readonly signals: readonly string[];
}

export const wordArb: fc.Arbitrary<Word> = fc.record({
  verb: fc.constantFrom(
    'pin',
    'pin',
    'pardon',
    'adjust',
    'lift',
    'observe',
    'break_glass',
    'label',
    'external',
  ),
  tier: fc.constantFrom(...TIER_NAMES),
  ttlMs: fc.option(fc.integer({ min: 1, max: 40 * DAY_MS })),
  permille: fc.nat(2100),
  flag: fc.boolean(),
  signals: fc.constantFrom([], ['S01'], ['S07', 'S03'], ['S20']),
});

/** The record of a word, given the state that it meets: a lift names the oldest in force. */
function wordRecord(one: Word, state: TrustState, tMs: number): TrustRecord {
  const { verb, tier, ttlMs, permille, flag, signals } = one;
  if (verb === 'external') return reported(tMs, 1 + (permille % 1000));
  const incident = verb === 'pin' && flag && tier === 'denied';
  const override = said({
    id: tMs.toString(16).padStart(16, '0').slice(-16),
    verb,
    timeMs: tMs,
    untilMs: ttlMs === null ? null : tMs + ttlMs,
    signals,
    tier: verb === 'pin' ? tier : null,
    incident,
    now: flag,
    permille: verb === 'adjust' ? permille : null,
    label: 'tp',
    lifts: state.overrides[0]?.id ?? 'ffffffffffffffff',
  });
  return word(tMs, override);
}

/** An act, or time passing, with the time since the last step and the clock's skew. */
export interface Step {
  readonly gapMs: number;
  readonly skewMs: number;
  readonly facts: ActFacts | null;
  readonly word?: Word | undefined;
}

const stepArb = {
  gapMs: gap,
  skewMs: fc.oneof(fc.constant(0), fc.integer({ min: -2 * HOUR_MS, max: 5 * MINUTE_MS })),
  facts: fc.option(factsArb, { freq: 6 }),
};

/** Acts, operators' words and other systems' reports. */
export const wordyStepsArb: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ ...stepArb, word: fc.option(wordArb, { nil: undefined, freq: 2 }) }),
  { maxLength: 30 },
);

export const stepsArb: fc.Arbitrary<readonly Step[]> = fc.array(fc.record(stepArb), {
  maxLength: 30,
});

/** The log that a lane's owner would have written: due records stand where a timer ran off. */
export function logOf(
  state: TrustState,
  steps: readonly Step[],
  model: Model,
  lateMs = 0,
): readonly TrustRecord[] {
  const records: TrustRecord[] = [];
  let held = state;
  let nowMs = START_MS;
  const write = (record: TrustRecord): void => {
    records.push(record);
    held = fold(held, record, model).state;
  };
  for (const { gapMs, skewMs, facts, word: spoken } of steps) {
    const thenMs = nowMs + gapMs;
    while (held.dueMs !== null && held.dueMs + lateMs <= thenMs) {
      write(due(held.dueMs + lateMs, `due/${held.dueMs}`));
    }
    if (facts !== null) {
      write({ type: 'act', eventTimeMs: thenMs + skewMs, appendedMs: thenMs, facts });
    }
    if (spoken !== undefined) write(wordRecord(spoken, held, thenMs));
    nowMs = thenMs;
  }
  return records;
}

export const LOW_SIGNALS = SIGNALS.filter(({ category }) =>
  ['attach', 'recon', 'novelty'].includes(category),
);

/** Signals as such, for the arithmetic of the model: any row of the table, by any confidence. */
export interface Raise {
  readonly gapMs: number;
  readonly id: string;
  readonly permille: number;
}

export const raisesArb = (ids: readonly string[]): fc.Arbitrary<readonly Raise[]> =>
  fc.array(
    fc.record({
      gapMs: gap,
      id: fc.constantFrom(...ids),
      permille: fc.constantFrom(50, 250, 500, 750, 1000, 1500),
    }),
    { maxLength: 30 },
  );
