import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold, initialState, makeModel, tierRecord } from '#trust';
import { effectiveTime, firstTime } from '../../../packages/trust/time.ts';
import { ALICE, act, due, factsWith, known, modelWith, replay, START_MS } from './support.ts';

const model = modelWith();

test('effective time is the event time between the state and the log', () => {
  assert.equal(effectiveTime(50, 10, 100), 50);
  assert.equal(effectiveTime(5, 10, 100), 10);
  assert.equal(effectiveTime(150, 10, 100), 100);
  assert.equal(effectiveTime(150, 120, 100), 120);
});

test('the first time at which something holds', () => {
  for (let first = 0; first <= 20; first++) {
    assert.equal(
      firstTime(0, 20, (t) => t >= first),
      first,
    );
  }
  assert.equal(
    firstTime(0, 20, () => false),
    null,
  );
  assert.equal(
    firstTime(7, 7, (t) => t > 7),
    null,
  );
});

test('clock skew is reported and never moves a state back', () => {
  const facts = factsWith();
  const fast = { type: 'act', eventTimeMs: START_MS + 500, appendedMs: START_MS, facts } as const;
  const one = fold(known(model), fast, model);
  assert.deepEqual([one.outcome.tEffMs, one.outcome.skewMs], [START_MS, -500]);
  const late = { ...fast, eventTimeMs: START_MS - 900, appendedMs: START_MS + 1 } as const;
  const two = fold(one.state, late, model);
  assert.deepEqual([two.outcome.tEffMs, two.outcome.skewMs], [START_MS, 900]);
});

test('a control record that the log took in before the last act counts from that act', () => {
  const state = replay(known(model), [act(START_MS)], model).state;
  const { outcome } = fold(state, due(START_MS - 5), model);
  assert.deepEqual([outcome.tEffMs, outcome.skewMs], [START_MS, 0]);
});

test('the last 32 control records are known', () => {
  const log = Array.from({ length: 40 }, (_, i) => due(START_MS + i));
  const { state } = replay(known(model), log, model);
  assert.equal(state.controls.length, 32);
  assert.equal(fold(state, due(START_MS + 8), model).state, state);
  assert.notEqual(fold(state, due(START_MS + 7), model).state, state);
});

test('an outcome says what the record did', () => {
  const quiet = fold(known(model), act(START_MS), model);
  assert.deepEqual(quiet.outcome, {
    before: 90_000_000,
    after: 90_000_000,
    tierBefore: 'standard',
    tier: 'standard',
    tierChanged: false,
    signals: [],
    dueMs: null,
    tEffMs: START_MS,
    skewMs: 0,
    firstOfDay: true,
    refused: null,
  });
  const records = [{ places: ['memfd'] }, { auidStatus: 'claimed' }];
  const log = records.map((facts, i) => act(START_MS + i, facts));
  const { outcome } = fold(fold(quiet.state, log[0]!, model).state, log[1]!, model);
  assert.deepEqual(outcome.signals, [{ id: 'S21', added: 15_000_000 }]);
  assert.deepEqual(
    [outcome.before, outcome.after, outcome.tierBefore, outcome.tier, outcome.firstOfDay],
    [60_000_000, 45_000_000, 'standard', 'restricted', false],
  );
  assert.ok((outcome.dueMs ?? 0) > START_MS);
});

test('a fold changes nothing that it was given', () => {
  const deepFreeze = <T>(value: T): T => {
    if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
      Object.freeze(value);
      Object.values(value).forEach(deepFreeze);
    }
    return value;
  };
  const log = [
    act(START_MS, { places: ['memfd'] }),
    act(START_MS + 1, { auidStatus: 'claimed', command: 'PROG_GET_NEXT_ID', count: 999 }),
    due(START_MS + 2),
  ];
  let state = deepFreeze(known(model));
  for (const record of log) state = deepFreeze(fold(state, deepFreeze(record), model).state);
  assert.equal(state.tier, 2);
});

test('hosts are told of tiers that deviate, and of the way back', () => {
  const start = initialState(ALICE, model);
  const tell = (before: typeof start | null, after: typeof start) => {
    const cause = { cause: 'web-1/0011223344556677/1/2', causeTimeUs: 7, reflex: null };
    return tierRecord({ principal: ALICE, before, after, ...cause }, model);
  };
  assert.equal(tell(null, start), null);
  const log = [act(START_MS, { places: ['memfd'] }), act(START_MS + 1, { auidStatus: 'claimed' })];
  const lowered = replay(known(model), log, model).state;
  assert.deepEqual(tell(start, lowered), {
    principal: ALICE,
    tier: 'restricted',
    default: false,
    trust: 45_000_000,
    reasons: ['S07', 'S21'],
    pinned: false,
    approved: false,
    cause: 'web-1/0011223344556677/1/2',
    causeTimeUs: 7,
    reflex: null,
  });
  assert.equal(tell(lowered, { ...lowered, tMs: lowered.tMs + 1 }), null);
  const spent = { number: 9, mass: 0, tMs: START_MS, count: 1 };
  const evidence = [lowered.evidence[0]!, spent, lowered.evidence[1]!];
  assert.deepEqual(tell(start, { ...lowered, evidence })?.reasons, ['S07', 'S21']);
  const back = fold(lowered, due(lowered.dueMs as number), model).state;
  const record = tell(lowered, back);
  assert.deepEqual([record?.tier, record?.default], ['standard', true]);
});

test('a policy that trusts a principal raises it at once, one that was lowered it leaves', () => {
  const trusting = modelWith({ defaultTier: 4 }, { policyHash: 'cd'.repeat(32) });
  const change = (state: ReturnType<typeof known>, to = trusting) => {
    const kind = { type: 'control', kind: 'policy', principal: ALICE } as const;
    return fold(state, { ...kind, id: to.policyHash, appendedMs: START_MS + 10 }, to);
  };
  const raised = change(known(model));
  assert.deepEqual([raised.outcome.tier, raised.outcome.tierChanged], ['trusted', true]);
  const cause = { cause: 'policy', causeTimeUs: 0, reflex: null };
  const told = { principal: ALICE, before: known(model), after: raised.state, ...cause };
  assert.equal(tierRecord(told, trusting), null);

  const log = [act(START_MS, { places: ['memfd'] }), act(START_MS + 1, { auidStatus: 'claimed' })];
  const lowered = replay(known(model), log, model).state;
  const left = change(lowered);
  assert.equal(left.outcome.tier, 'restricted');
  assert.deepEqual(left.state.demotions, lowered.demotions);
  // Nobody stands above the default tier, whichever that is.
  const strict = makeModel({
    policyHash: 'ef'.repeat(32),
    standingOf: () => ({ base: 90_000_000, defaultTier: 2, floor: 0 }),
  });
  assert.equal(change({ ...raised.state, tier: 3 }, strict).outcome.tier, 'restricted');
  // Back to the first policy: at its default at once, since nobody may stand above it.
  assert.equal(change({ ...raised.state, controls: [] }, model).outcome.tier, 'standard');
});

test('a policy change does not start a dwell again that has begun', () => {
  const lowered = { ...known(model), tMs: START_MS, tier: 2 as const, okMs: START_MS };
  const other = modelWith({}, { policyHash: 'cd'.repeat(32) });
  const kind = { type: 'control', kind: 'policy', principal: ALICE } as const;
  const record = { ...kind, id: 'p', appendedMs: START_MS + 3_600_000 };
  assert.equal(fold(lowered, record, other).outcome.dueMs, START_MS + 6 * 3_600_000);
});

test('a policy with a lower base lowers at its control record', () => {
  const strict = modelWith({ base: 70 }, { policyHash: 'cd'.repeat(32) });
  const seen = replay(known(model), [act(START_MS, { places: ['memfd'] })], model).state;
  const kind = { type: 'control', kind: 'policy', principal: ALICE } as const;
  const { outcome } = fold(seen, { ...kind, id: 'p', appendedMs: START_MS }, strict);
  assert.deepEqual([outcome.after, outcome.tier], [40_000_000, 'restricted']);
});
