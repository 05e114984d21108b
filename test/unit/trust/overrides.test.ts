import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  contributions,
  effectiveTier,
  fold,
  type Model,
  NOISE_FLOOR,
  TIER_NAMES,
  type TrustRecord,
  type TrustState,
  tierRecord,
  toldTier,
  trustAt,
} from '#trust';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../packages/trust/time.ts';
import { check } from './property.ts';
import {
  ALICE,
  act,
  due,
  known,
  logOf,
  modelWith,
  replay,
  reported,
  START_MS,
  said,
  word,
  wordyStepsArb,
} from './support.ts';

const model = modelWith();
const S03 = { command: 'PROG_LOAD', helpers: ['probe_write_user'], programType: 'CGROUP_SKB' };
const fallen = replay(known(model), [act(START_MS, S03)], model).state;
const T = START_MS + HOUR_MS;

const shown = (state: TrustState) =>
  `${TIER_NAMES[effectiveTier(state)]}, told ${TIER_NAMES[toldTier(state).tier]}`;
const after = (state: TrustState, record: TrustRecord, by: Model = model) =>
  fold(state, record, by).state;

test('S03 leaves 50 and restricted: what the following tests start from', () => {
  assert.equal(trustAt(fallen, START_MS, model), 50_000_000);
  assert.equal(shown(fallen), 'restricted, told restricted');
});

test('a pardon takes mass away, and the tier rises by its dwell', () => {
  const forgiven = after(fallen, word(T, said({ verb: 'pardon', signals: ['S03'], timeMs: T })));
  assert.equal(trustAt(forgiven, T, model), 90_000_000);
  assert.equal(shown(forgiven), 'restricted, told restricted');
  assert.equal(forgiven.dueMs, T + 6 * HOUR_MS);
  const risen = after(forgiven, due(T + 6 * HOUR_MS));
  assert.equal(shown(risen), 'standard, told standard');
  // Forgiven is not forgotten: the entry stays, so that an episode is not raised anew.
  assert.deepEqual(
    forgiven.evidence.map(({ number, mass, count }) => [number, mass, count]),
    [[3, 0, 1]],
  );
});

test('a pardon with `now` needs no dwell, and one of another signal changes nothing', () => {
  const now = after(fallen, word(T, said({ verb: 'pardon', now: true, timeMs: T })));
  assert.equal(shown(now), 'standard, told standard');
  const other = after(fallen, word(T, said({ verb: 'pardon', signals: ['S07'], timeMs: T })));
  assert.equal(trustAt(other, T, model), trustAt(fallen, T, model));
});

test('tampering is forgiven only by a pardon that names it', () => {
  const host = 'host:web-1' as typeof ALICE;
  const facts = { command: 'RING_TAMPER', principal: host };
  const denied = replay(known(model, host), [act(START_MS, facts)], model).state;
  assert.equal(denied.sticky, true);
  const pardon = (signals: string[]) =>
    after(denied, word(T, said({ verb: 'pardon', signals, timeMs: T })));
  assert.equal(pardon(['S03']).sticky, true);
  assert.equal(pardon(['S01']).sticky, false);
  assert.equal(pardon([]).sticky, false);
});

test('a pin that raises ends by itself, and hosts are never told of it', () => {
  const untilMs = T + DAY_MS;
  const pinned = after(fallen, word(T, said({ verb: 'pin', tier: 'trusted', timeMs: T, untilMs })));
  assert.equal(shown(pinned), 'trusted, told restricted');
  const ended = after(pinned, due(untilMs));
  assert.deepEqual(ended.overrides, []);
  assert.equal(shown(ended), 'restricted, told restricted');
  const early = after(pinned, due(untilMs - 1));
  assert.equal(early.overrides.length, 1);
});

test('a pin that lowers has no end, tells hosts, and goes below a floor', () => {
  const floored = modelWith({ floor: 3 });
  const agent = replay(known(floored), [act(START_MS, S03)], floored).state;
  assert.deepEqual([agent.tier, shown(agent)], [2, 'standard, told standard']);
  const pin = said({ verb: 'pin', tier: 'quarantined', timeMs: T });
  const pinned = after(agent, word(T, pin), floored);
  assert.equal(shown(pinned), 'quarantined, told quarantined');
  assert.deepEqual(toldTier(pinned), { tier: 1, pinned: true });
  const cause = { cause: 'override/x', causeTimeUs: 0, reflex: null };
  const told = { principal: ALICE, before: agent, after: pinned, ...cause };
  assert.deepEqual(
    [tierRecord(told, floored)?.tier, tierRecord(told, floored)?.pinned],
    ['quarantined', true],
  );
  const lifted = after(
    pinned,
    word(T + 1, said({ id: '00000000000000bb', verb: 'lift', lifts: pin.id, timeMs: T + 1 })),
    floored,
  );
  assert.equal(shown(lifted), 'standard, told standard');
});

test('an incident stands against every later pin, until a pardon names S20', () => {
  const incident = said({ verb: 'pin', tier: 'denied', incident: true, timeMs: T });
  const up = said({
    id: '00000000000000bb',
    verb: 'pin',
    tier: 'trusted',
    timeMs: T,
    untilMs: T + DAY_MS,
  });
  const both = after(after(known(model), word(T, incident)), word(T, up));
  assert.equal(shown(both), 'denied, told denied');
  const pardon = said({ id: '00000000000000cc', verb: 'pardon', signals: ['S20'], timeMs: T });
  assert.equal(shown(after(both, word(T, pardon))), 'trusted, told standard');
});

test('an adjustment counts from its record to its end', () => {
  const half = said({ verb: 'adjust', permille: 500, timeMs: T, untilMs: T + HOUR_MS });
  const adjusted = after(fallen, word(T, half));
  const parts = contributions(adjusted, T, model);
  assert.equal(parts.adjusted, Math.ceil((90_000_000 - trustAt(fallen, T, model)) / 2));
  assert.equal(parts.trust, trustAt(adjusted, T, model));
  const ended = after(adjusted, due(T + HOUR_MS));
  assert.equal(trustAt(ended, T + HOUR_MS, model), trustAt(fallen, T + HOUR_MS, model));
  const double = said({ verb: 'adjust', permille: 2000, timeMs: T });
  assert.equal(shown(after(fallen, word(T, double))), 'denied, told denied');
});

test('other systems report risk as S18, and it is no act', () => {
  const risky = after(known(model), reported(T, 500));
  assert.equal(trustAt(risky, T, model), 75_000_000);
  assert.equal(risky.activeDay, -1);
  assert.deepEqual(after(risky, reported(T, 500)), risky);
});

test('what cannot act is refused with a reason, and changes nothing', () => {
  const end = { timeMs: T, untilMs: T + HOUR_MS };
  const full = Array.from({ length: 8 }, (_, i) =>
    word(T, said({ ...end, id: `000000000000000${i}`, verb: 'observe' })),
  ).reduce((state, one) => after(state, one), fallen);
  const glass = ['1', '2'].reduce(
    (state, n) => after(state, word(T, said({ ...end, id: n.repeat(16), verb: 'break_glass' }))),
    fallen,
  );
  const rows: readonly [TrustState, Parameters<typeof said>[0], string][] = [
    [fallen, { verb: 'pin', tier: 'trusted', timeMs: T }, 'pin raises: it needs an end'],
    [fallen, { verb: 'pin', tier: 'best', timeMs: T }, 'pin: no tier best'],
    [
      fallen,
      { ...end, verb: 'pin', tier: 'trusted', untilMs: T + 31 * DAY_MS },
      'pin lasts at most 43200 minutes',
    ],
    [
      fallen,
      { verb: 'pin', tier: 'standard', incident: true, ...end },
      'an incident pins to denied',
    ],
    [fallen, { verb: 'observe', timeMs: T }, 'observe raises: it needs an end'],
    [
      fallen,
      { verb: 'break_glass', timeMs: T, untilMs: T + 61 * MINUTE_MS },
      'break_glass lasts at most 60 minutes',
    ],
    [fallen, { verb: 'break_glass', timeMs: T, untilMs: T }, 'it would end before it begins'],
    [fallen, { verb: 'adjust', permille: 500, timeMs: T }, 'adjust raises: it needs an end'],
    [fallen, { verb: 'adjust', permille: 2001, timeMs: T }, 'adjust: a factor from 0 to 2'],
    [fallen, { verb: 'adjust', timeMs: T }, 'adjust: a factor from 0 to 2'],
    [fallen, { verb: 'pardon', signals: ['S99'] }, 'no signal S99'],
    [fallen, { verb: 'label', label: 'maybe' }, 'label: tp or fp'],
    [fallen, { verb: 'lift' }, 'lift: of which override?'],
    [fallen, { verb: 'lift', lifts: '1'.repeat(16) }, `no override ${'1'.repeat(16)} is in force`],
    [fallen, { verb: 'pardon', reason: ' ' }, 'the reason is missing'],
    [fallen, { verb: 'pardon', author: '' }, 'the author is missing'],
    [fallen, { verb: 'pardon', reason: 'x'.repeat(257) }, 'the reason is longer than 256'],
    [full, { ...end, verb: 'observe' }, '8 overrides are in force already'],
    [glass, { ...end, verb: 'break_glass' }, '2 break-glass are in force already'],
  ];
  for (const [state, override, why] of rows) {
    const { outcome, state: next } = fold(state, word(T, said(override)), model);
    assert.deepEqual([override, outcome.refused], [override, why]);
    const still = { controls: [], tMs: 0, keptMs: 0 };
    assert.deepEqual({ ...next, ...still }, { ...state, ...still });
  }
});

const wordy = (run: (state: TrustState, record: TrustRecord, next: TrustState) => void) =>
  check(
    fc.property(wordyStepsArb, (steps) => {
      let state = known(model);
      for (const record of logOf(state, steps, model)) {
        const next = after(state, record);
        run(state, record, next);
        state = next;
      }
    }),
  );

test('hosts are never told of more than evidence and floor allow', () => {
  wordy((_state, _record, next) => {
    assert.ok(toldTier(next).tier <= next.tier);
    assert.ok(next.tier <= next.defaultTier);
    if (effectiveTier(next) > next.tier) assert.ok(next.overrides.some(({ raises }) => raises));
  });
});

test('P8: nothing that raises outlives its end, and none ends before it', () => {
  wordy((state, record, next) => {
    for (const { raises, untilMs } of next.overrides) assert.ok(!raises || untilMs !== null);
    const gone = state.overrides.filter(({ id }) => !next.overrides.some((one) => one.id === id));
    for (const { untilMs } of gone) {
      const isSaid = record.type === 'control' && record.kind === 'override';
      assert.ok(isSaid || (untilMs !== null && untilMs <= next.tMs));
    }
    const ends = next.overrides.map(({ untilMs }) => untilMs).filter((ms) => ms !== null);
    if (ends.length > 0) assert.ok((next.dueMs as number) <= Math.min(...ends));
  });
});

test('P6: an operator who doubles evidence does not break the noise floor', () => {
  const low = { command: 'PROG_GET_NEXT_ID', count: 500 };
  const double = word(START_MS, said({ verb: 'adjust', permille: 2000 }));
  const acts = Array.from({ length: 50 }, (_, i) =>
    act(START_MS + i * HOUR_MS, { ...low, host: `web-${i}` as never }),
  );
  const { state } = replay(known(model), [double, ...acts], model);
  assert.ok(trustAt(state, state.tMs, model) >= NOISE_FLOOR);
  assert.equal(state.tier, 3);
});
