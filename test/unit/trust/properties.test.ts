import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostName, principalKey } from '#event';
import {
  type ActFacts,
  acted,
  baseDwell,
  contributions,
  decodeState,
  encodeState,
  evolve,
  fold,
  initialState,
  type Model,
  NOISE_FLOOR,
  nextDue,
  raiseThreshold,
  SIGNALS,
  TIER_NAMES,
  type Tier,
  type TrustRecord,
  type TrustState,
  trustAt,
} from '#trust';
import { CATEGORIES } from '../../../packages/trust/signals.ts';
import { canRise } from '../../../packages/trust/tiers.ts';
import { DAY_MS } from '../../../packages/trust/time.ts';
import { check } from './property.ts';
import {
  ALICE,
  due,
  factsArb,
  known,
  LOW_SIGNALS,
  logOf,
  modelWith,
  type Raise,
  raisesArb,
  replay,
  START_MS,
  stepsArb,
  wordyStepsArb,
} from './support.ts';

const allow = ['aa'.repeat(32)];
const hours = { weekdays: [1, 2, 3, 4, 5], fromMinute: 480, toMinute: 1080, offsetMinutes: 60 };
const modelArb = fc
  .record({ base: fc.integer({ min: 50, max: 100 }), defaultTier: fc.constantFrom(3, 4) })
  .map((standing) => {
    const model = modelWith(standing as { base: number; defaultTier: 3 | 4 }, { allow, hours });
    const value = () => JSON.stringify(standing);
    return Object.defineProperty(model, fc.toStringMethod, { value });
  });
const startArb = fc.boolean();
const startOf = (fresh: boolean, model: Model): TrustState =>
  fresh ? initialState(ALICE, model) : known(model);

test('P1: a replay cut anywhere, with the state stored between, equals the whole', () => {
  check(
    fc.property(modelArb, startArb, wordyStepsArb, fc.nat(), (model, fresh, steps, at) => {
      const start = startOf(fresh, model);
      const log = logOf(start, steps, model);
      const cut = log.length === 0 ? 0 : at % (log.length + 1);
      const whole = replay(start, log, model);
      const before = replay(start, log.slice(0, cut), model);
      const stored = decodeState(encodeState(before.state));
      const after = replay(stored, log.slice(cut), model);
      assert.deepEqual(after.state, whole.state);
      assert.deepEqual(encodeState(after.state), encodeState(whole.state));
      assert.deepEqual([...before.outcomes, ...after.outcomes], whole.outcomes);
    }),
  );
});

test('P2: repeated control records change nothing', () => {
  check(
    fc.property(
      modelArb,
      wordyStepsArb,
      fc.array(fc.nat(20), { maxLength: 20 }),
      (model, steps, when) => {
        const log = logOf(known(model), steps, model);
        const doubled = log.flatMap((record, i) => {
          const repeats = record.type === 'control' ? 1 + (when[i % (when.length || 1)] ?? 1) : 1;
          return new Array<TrustRecord>(repeats).fill(record);
        });
        const once = replay(known(model), log, model);
        const twice = replay(known(model), doubled, model);
        assert.deepEqual(twice.state, once.state);
        // A control record that comes back later, after others, is still known.
        const controls = log.filter(({ type }) => type === 'control').slice(-32);
        assert.deepEqual(replay(twice.state, controls, model).state, once.state);
      },
    ),
  );
});

test('P2: principals and lanes may be interleaved in any way', () => {
  const names = [ALICE, principalKey('cilium@web-1'), principalKey('host:web-1')];
  check(
    fc.property(
      modelArb,
      fc.tuple(stepsArb, stepsArb, stepsArb),
      fc.array(fc.nat(2), { maxLength: 90 }),
      (model, all, order) => {
        const logs = all.map((steps) => logOf(known(model), steps, model));
        const states = names.map((name) => known(model, name));
        const queues = logs.map((log) => [...log]);
        for (const pick of [...order, ...new Array<number>(200).fill(0)]) {
          const left = [pick, 0, 1, 2].find((at) => (queues[at]?.length ?? 0) > 0);
          if (left === undefined) break;
          const record = queues[left]?.shift() as TrustRecord;
          states[left] = fold(states[left] as TrustState, record, model).state;
        }
        for (const [at, log] of logs.entries()) {
          assert.deepEqual(states[at], replay(known(model, names[at]), log, model).state);
        }
      },
    ),
  );
});

const ALL_IDS = SIGNALS.map(({ id }) => id);

/** States after each raise. */
function raise(start: TrustState, raises: readonly (Raise & { extra?: true })[], model: Model) {
  const states: TrustState[] = [];
  let state = start;
  let tMs = START_MS;
  for (const { gapMs, id, permille } of raises) {
    tMs += gapMs;
    state = evolve(state, acted(state, { tMs, raised: [{ id, permille }] }, model), model);
    states.push(state);
  }
  return states;
}

test('P3: a signal more never raises trust, then or later', () => {
  check(
    fc.property(
      modelArb,
      startArb,
      raisesArb(ALL_IDS),
      fc.nat(),
      fc.constantFrom(...ALL_IDS),
      fc.nat(20 * DAY_MS),
      (model, fresh, raises, at, id, laterMs) => {
        if (raises.length === 0) return;
        const start = startOf(fresh, model);
        const place = at % raises.length;
        const extra = { gapMs: 0, id, permille: 1000 };
        const more = raises.toSpliced(place + 1, 0, extra);
        const without = raise(start, raises, model);
        const with_ = raise(start, more, model);
        for (let i = place; i < raises.length; i++) {
          const [a, b] = [without[i] as TrustState, with_[i + 1] as TrustState];
          assert.equal(a.tMs, b.tMs);
          assert.ok(trustAt(b, b.tMs, model) <= trustAt(a, a.tMs, model));
          assert.ok(trustAt(b, b.tMs + laterMs, model) <= trustAt(a, a.tMs + laterMs, model));
          assert.ok(b.tier <= a.tier);
        }
      },
    ),
  );
});

test('P3: an act more raises trust by no more than an hour of decay', () => {
  // It may begin an episode, or end a burst, earlier: the evidence is then that much older. What is
  // raised by the first sight of a host is as old as that, and a late event counts from when others
  // of the principal were seen, and so is the first program of a type: so here all acts are on one
  // host, with its clock right, and of types that nobody remembers.
  const slack = 500_000;
  const host = hostName('web-1');
  const plain = (facts: ActFacts): ActFacts => ({
    ...facts,
    host,
    programType: facts.programType === 'LSM' ? 'LSM' : null,
  });
  check(
    fc.property(modelArb, stepsArb, fc.nat(), factsArb, (model, anywhere, at, facts) => {
      const start = known(model);
      const steps = anywhere.map((s) => ({
        ...s,
        skewMs: 0,
        facts: s.facts && plain(s.facts),
      }));
      const place = at % (steps.length + 1);
      const extra = { gapMs: 0, skewMs: 0, facts: plain(facts) };
      const a = replay(start, logOf(start, steps, model), model).state;
      const more = steps.toSpliced(place, 0, extra);
      const b = replay(start, logOf(start, more, model), model).state;
      const tMs = Math.max(a.tMs, b.tMs);
      assert.ok(trustAt(b, tMs, model) <= trustAt(a, tMs, model) + slack);
    }),
  );
});

test('P4: trust stays from 0 to 100 and every cap is respected', () => {
  check(
    fc.property(modelArb, raisesArb(ALL_IDS), fc.nat(9 * DAY_MS), (model, raises, laterMs) => {
      for (const state of raise(known(model), raises, model)) {
        for (const { number, mass } of state.evidence) {
          assert.ok(mass <= 3 * (model.signals[number]?.weight ?? 0));
        }
        for (const tMs of [state.tMs, state.tMs + laterMs]) {
          const trust = trustAt(state, tMs, model);
          assert.ok(Number.isInteger(trust) && trust >= 0 && trust <= 100_000_000);
          const { signals, cuts } = contributions(state, tMs, model);
          for (const { category, capPoints } of CATEGORIES) {
            const mass = sum(signals.filter((one) => one.category === category).map((s) => s.mass));
            const cut = cuts.find((one) => one.category === category)?.cut ?? 0;
            assert.ok(mass - cut <= capPoints * 1_000_000);
          }
        }
      }
    }),
  );
});

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

test('contributions sum exactly to trust', () => {
  check(
    fc.property(modelArb, raisesArb(ALL_IDS), fc.nat(9 * DAY_MS), (model, raises, laterMs) => {
      for (const state of raise(known(model), raises, model)) {
        const parts = contributions(state, state.tMs + laterMs, model);
        const masses = sum(parts.signals.map(({ mass }) => mass));
        const cuts = sum(parts.cuts.map(({ cut }) => cut));
        const { base, credit, floorCut, clamped, trust } = parts;
        assert.equal(base + credit - masses + cuts + floorCut + clamped, trust);
        assert.equal(trust, trustAt(state, state.tMs + laterMs, model));
        if (clamped > 0) assert.equal(trust, 0);
        if (clamped < 0) assert.equal(trust, 100_000_000);
      }
    }),
  );
});

test('P5: without signals trust is base and credit, and credit is at most 5', () => {
  const quietArb = fc.array(fc.nat(3 * DAY_MS), { maxLength: 40 });
  check(
    fc.property(modelArb, quietArb, fc.nat(9 * DAY_MS), (model, gaps, laterMs) => {
      let state = initialState(ALICE, model);
      let tMs = START_MS;
      for (const gapMs of gaps) {
        tMs += gapMs;
        state = evolve(state, acted(state, { tMs, raised: [] }, model), model);
      }
      const { trust, base, credit, clamped } = contributions(state, tMs + laterMs, model);
      assert.equal(trust, Math.min(100_000_000, base + credit));
      assert.ok(credit >= 0 && credit <= 5_000_000);
      assert.ok(clamped <= 0);
    }),
  );
});

test('P6: low-confidence signals alone never reach an enforcing tier, for any base', () => {
  const ids = LOW_SIGNALS.map(({ id }) => id);
  check(
    fc.property(fc.nat(100), raisesArb(ids), fc.nat(9 * DAY_MS), (base, raises, laterMs) => {
      const model = modelWith({ base });
      const start = known(model);
      for (const state of raise(start, raises, model)) {
        const floor = Math.min(base * 1_000_000, NOISE_FLOOR);
        assert.ok(trustAt(state, state.tMs, model) >= floor);
        assert.ok(trustAt(state, state.tMs + laterMs, model) >= floor);
        assert.equal(state.tier, start.tier);
      }
    }),
  );
});

test('P7: a tier rises by one, by a due record, at least a dwell after the last change', () => {
  check(
    fc.property(modelArb, stepsArb, fc.nat(DAY_MS), (model, steps, lateMs) => {
      let state = known(model);
      for (const record of logOf(state, steps, model, lateMs)) {
        const next = fold(state, record, model).state;
        if (next.tier > state.tier) {
          assert.equal(next.tier, state.tier + 1);
          assert.equal(record.type, 'control');
          assert.ok(next.tMs - state.sinceMs >= baseDwell(next.tier));
          assert.equal(next.sinceMs, next.tMs);
        }
        assert.ok(next.tier <= next.defaultTier);
        state = next;
      }
    }),
  );
});

test('P8: a timer acts at its time and not before', () => {
  check(
    fc.property(modelArb, stepsArb, fc.nat(30 * DAY_MS), (model, steps, earlyMs) => {
      for (const state of statesOf(steps, model)) {
        assert.equal(state.dueMs, nextDue(state, model));
        checkOk(state, model);
        if (state.dueMs === null) continue;
        const early = Math.max(state.tMs, state.dueMs - 1 - earlyMs);
        for (const tMs of [early, state.dueMs - 1]) {
          if (tMs < state.tMs || tMs >= state.dueMs) continue;
          assert.equal(canRise(state, tMs, model), false);
          const { outcome, state: tried } = fold(state, due(tMs, 'too early'), model);
          assert.equal(outcome.tierChanged, false);
          assert.equal(outcome.dueMs, state.dueMs);
          assert.equal(tried.tier, state.tier);
        }
        const { outcome } = fold(state, due(state.dueMs), model);
        assert.equal(outcome.tier, TIER_NAMES[(state.tier + 1) as Tier]);
      }
    }),
  );
});

/** `okMs` is the very first ms of enough trust for the next tier, null only if there is none. */
function checkOk(state: TrustState, model: Model): void {
  const { tier, okMs, defaultTier, sticky, tMs } = state;
  if (tier === defaultTier || (tier === 0 && sticky)) {
    assert.equal(okMs, null);
    return;
  }
  const enough = (at: number): boolean =>
    trustAt(state, at, model) >= raiseThreshold((tier + 1) as Tier);
  if (okMs === null) assert.equal(enough(tMs + 10_000 * DAY_MS), false);
  else {
    assert.ok(enough(Math.max(okMs, tMs)));
    if (okMs > tMs) assert.equal(enough(okMs - 1), false);
  }
}

function statesOf(steps: Parameters<typeof logOf>[1], model: Model): TrustState[] {
  const states: TrustState[] = [];
  let state = known(model);
  for (const record of logOf(state, steps, model)) {
    state = fold(state, record, model).state;
    states.push(state);
  }
  return states;
}

test('time only heals: trust never falls between records', () => {
  const ages = fc.array(fc.nat(40 * DAY_MS), { maxLength: 5 });
  check(
    fc.property(modelArb, stepsArb, ages, (model, steps, gaps) => {
      for (const state of statesOf(steps, model)) {
        let tMs = state.tMs;
        for (const gapMs of gaps) {
          const before = trustAt(state, tMs, model);
          tMs += gapMs;
          assert.ok(trustAt(state, tMs, model) >= before);
        }
      }
    }),
  );
});

test('P10: a policy acts from its control record on, without one from the next record', () => {
  const next = modelWith(
    { base: 80, defaultTier: 3 },
    { policyHash: 'cd'.repeat(32), overrides: new Map([['S07', { points: 10 }]]) },
  );
  check(
    fc.property(modelArb, stepsArb, fc.nat(), (model, steps, at) => {
      const log = logOf(known(model), steps, model);
      const cut = log.length === 0 ? 0 : at % log.length;
      const before = replay(known(model), log.slice(0, cut), model);
      const { tMs } = before.state;
      const control = {
        type: 'control',
        kind: 'policy',
        id: 'policy/1',
        principal: ALICE,
        appendedMs: Math.max(tMs, START_MS),
      } as const;
      const changed = fold(before.state, control, next);
      assert.equal(changed.state.policyHash, next.policyHash);
      assert.equal(changed.state.base, 80_000_000);
      assert.deepEqual(fold(changed.state, control, next).state, changed.state);
      for (const { number, mass } of changed.state.evidence) {
        assert.ok(mass <= 3 * (next.signals[number]?.weight ?? 0));
      }
      const after = replay(changed.state, log.slice(cut), next);
      const lazy = replay(before.state, log.slice(cut), next);
      for (const { signals } of [...after.outcomes, ...lazy.outcomes]) {
        for (const { id, added } of signals) if (id === 'S07') assert.ok(added <= 10_000_000);
      }
      if (cut < log.length) assert.equal(lazy.state.policyHash, next.policyHash);
    }),
  );
});
