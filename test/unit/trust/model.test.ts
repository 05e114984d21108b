import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acted,
  contributions,
  evolve,
  initialState,
  type Model,
  makeModel,
  nextDue,
  SIGNALS,
  TrustError,
  type TrustState,
  trustAt,
} from '#trust';
import { CATEGORIES } from '../../../packages/trust/signals.ts';
import { DAY_MS, HOUR_MS } from '../../../packages/trust/time.ts';
import { ALICE, due, HASH, known, modelWith, replay, START_MS } from './support.ts';

const model = modelWith();

/** The signals at once, on a principal known for long. */
function raised(ids: readonly string[], of: Model = model, from = known(of)): TrustState {
  const raise = ids.map((id) => ({ id, permille: 1000 }));
  return evolve(from, acted(from, { tMs: START_MS, raised: raise }, of), of);
}

const points = (state: TrustState): number => trustAt(state, state.tMs, model) / 1_000_000;

test('golden: the checks of the model', () => {
  const rows: readonly [string[], number, number][] = [
    [['S03'], 50, 2],
    [['S03', 'S03', 'S03'], 15, 1],
    [['S01'], 10, 0],
    [['S07'], 60, 3],
    [['S07', 'S10'], 50, 2],
  ];
  for (const [ids, trust, tier] of rows) {
    const state = raised(ids);
    assert.deepEqual([ids, points(state), state.tier], [ids, trust, tier]);
  }
});

test('golden: every low-confidence signal for ever leaves 56, still standard', () => {
  const low = SIGNALS.filter(({ category }) => ['attach', 'recon', 'novelty'].includes(category));
  let state = known(model);
  for (let hour = 0; hour < 24 * 30; hour++) {
    const tMs = START_MS + hour * HOUR_MS;
    const all = low.map(({ id }) => ({ id, permille: 1000 }));
    state = evolve(state, acted(state, { tMs, raised: all }, model), model);
  }
  assert.equal(points(state), 56);
  assert.equal(state.tier, 3);
});

test('golden: the noise floor for the bases of the model', () => {
  for (const [base, floor] of [
    [90, 56],
    [75, 56],
    [65, 56],
    [60, 56],
    [50, 50],
  ] as const) {
    const low = ['S10', 'S10', 'S11', 'S12', 'S12', 'S13', 'S14', 'S15', 'S15', 'S15', 'S16'];
    const state = raised(low, modelWith({ base }));
    assert.deepEqual([base, points(state)], [base, floor]);
  }
});

test('golden: one of each signal takes its weight, three its cap', () => {
  const capped = (id: string, mass: number): number => {
    const { category } = SIGNALS.find((signal) => signal.id === id) as { category: string };
    const { capPoints } = CATEGORIES.find((rule) => rule.category === category) as {
      capPoints: number;
    };
    return 90 - Math.min(mass, capPoints);
  };
  for (const { id, points: weight } of SIGNALS) {
    assert.deepEqual([id, points(raised([id]))], [id, capped(id, weight)]);
    const often = new Array<string>(9).fill(id);
    assert.deepEqual([id, points(raised(often))], [id, Math.max(0, capped(id, 3 * weight))]);
  }
});

test('golden: weights, half-lives and categories of trust/1', () => {
  const table = SIGNALS.map(
    ({ id, points: weight, halfLifeMs, category }) =>
      `${id} ${weight} ${halfLifeMs / DAY_MS}d ${category}`,
  );
  assert.deepEqual(table, [
    'S01 80 30d tamper',
    'S02 45 14d tamper',
    'S03 40 14d helper',
    'S04 40 14d helper',
    'S05 25 7d helper',
    'S06 15 7d helper',
    'S07 30 7d context',
    'S08 15 3d context',
    'S09 12 3d context',
    'S10 10 3d attach',
    'S11 8 3d attach',
    'S12 6 1d recon',
    'S13 5 1d recon',
    'S14 3 1d recon',
    'S15 5 3d novelty',
    'S16 4 3d novelty',
    'S17 20 7d host',
    'S18 30 7d external',
    'S19 0 1d feedback',
    'S21 15 7d context',
    'S16H 2 1d novelty',
  ]);
  assert.equal(new Set(SIGNALS.map(({ number }) => number)).size, SIGNALS.length);
});

/** Lets timers run until nothing is due; gives the times of the rises. */
function recover(state: TrustState, of: Model): { days: number; tier: number }[] {
  const rises: { days: number; tier: number }[] = [];
  let held = state;
  while (held.dueMs !== null) {
    const tMs: number = held.dueMs;
    held = replay(held, [due(tMs)], of).state;
    rises.push({ days: (tMs - START_MS) / DAY_MS, tier: held.tier });
  }
  return rises;
}

test('golden: recovery to trusted takes 28 days after one S03, 11 after one S07', () => {
  const trusted = modelWith({ defaultTier: 4 });
  const afterS03 = recover(raised(['S03'], trusted), trusted);
  assert.deepEqual(
    afterS03.map(({ tier }) => tier),
    [3, 4],
  );
  assert.ok(Math.abs((afterS03.at(-1)?.days ?? 0) - 28.1) < 0.1, JSON.stringify(afterS03));
  const afterS07 = recover(raised(['S07'], trusted), trusted);
  assert.ok(Math.abs((afterS07.at(-1)?.days ?? 0) - 11.2) < 0.1, JSON.stringify(afterS07));
});

test('after S01 the lowest tier is for an operator to end', () => {
  assert.equal(raised(['S01']).dueMs, null);
  assert.deepEqual(recover(raised(['S01']), model), []);
  // The same trust by other evidence recovers by itself.
  const other = raised(['S03', 'S03', 'S02']);
  assert.equal(other.tier, 0);
  assert.deepEqual(
    recover(other, model).map(({ tier }) => tier),
    [1, 2, 3],
  );
});

test('until the third active day only strong evidence lowers trust', () => {
  let state = initialState(ALICE, model);
  const raise = (day: number, id: string): number => {
    const tMs = START_MS + day * DAY_MS;
    state = evolve(state, acted(state, { tMs, raised: [{ id, permille: 1000 }] }, model), model);
    return points(state);
  };
  assert.equal(raise(0, 'S09'), 90);
  assert.equal(raise(0, 'S16'), 90);
  assert.equal(raise(1, 'S21'), 90);
  assert.ok(raise(2, 'S09') < 90);
  state = initialState(ALICE, model);
  assert.equal(raise(0, 'S07'), 60);
  state = initialState(ALICE, model);
  assert.equal(raise(0, 'S05'), 65);
});

test('dwell doubles with each demotion of 30 days beyond the first, up to eight times', () => {
  const waitHours = (agesDays: readonly number[]): number => {
    const demotions = agesDays.map((age) => START_MS - age * DAY_MS);
    const state = { ...known(model), tMs: START_MS, tier: 2 as const, okMs: START_MS, demotions };
    return ((nextDue(state, model) as number) - START_MS) / HOUR_MS;
  };
  assert.equal(waitHours([]), 6);
  assert.equal(waitHours([1]), 6);
  assert.equal(waitHours([2, 1]), 12);
  assert.equal(waitHours([3, 2, 1]), 24);
  assert.equal(waitHours([4, 3, 2, 1]), 48);
  assert.equal(waitHours([8, 7, 6, 5, 4, 3, 2, 1]), 48);
  assert.equal(waitHours([31, 1]), 6);
  // One demotion turns 30 days old 18 hours into the wait: from then on it no longer doubles.
  assert.equal(waitHours([29.25, 2, 1, 0]), 24);
});

test('a dwell begins again when trust falls below the threshold within it', () => {
  const at = (state: TrustState, tMs: number, ids: string[]): TrustState => {
    const all = ids.map((id) => ({ id, permille: 1000 }));
    return evolve(state, acted(state, { tMs, raised: all }, model), model);
  };
  const lowered = { ...known(model), tMs: START_MS, tier: 2 as const, okMs: START_MS };
  const still = at(lowered, START_MS + HOUR_MS, ['S09']);
  assert.deepEqual([still.tier, still.okMs], [2, START_MS]);
  const again = at(still, START_MS + 2 * HOUR_MS, ['S07']);
  assert.equal(again.tier, 2);
  assert.ok((again.okMs as number) > again.tMs);
});

test('credit alone can lead to the next tier: from the end of the day that earns it', () => {
  const trusted = modelWith({ base: 79, defaultTier: 4 });
  const standard = { ...known(trusted), tier: 3 as const, credit: 500_000 };
  const clean = acted(standard, { tMs: START_MS, raised: [] }, trusted);
  const { okMs, dueMs } = evolve(standard, clean, trusted);
  assert.deepEqual([okMs, dueMs], [START_MS + DAY_MS, START_MS + DAY_MS + 2 * HOUR_MS]);
});

test('the ninth demotion of a month forgets the oldest', () => {
  const demotions = Array.from({ length: 8 }, (_, i) => START_MS - DAY_MS + i);
  const state = raised(['S03'], model, { ...known(model), demotions });
  assert.deepEqual(state.demotions, [...demotions.slice(1), START_MS]);
});

test('a clean active day earns half a point, five at most; a strong signal takes all of it', () => {
  const low = modelWith({ base: 70 });
  let state = known(low);
  const quiet = (day: number): void => {
    const tMs = START_MS + day * DAY_MS;
    state = evolve(state, acted(state, { tMs, raised: [] }, low), low);
  };
  quiet(0);
  assert.equal(trustAt(state, START_MS + DAY_MS - 1, low), 70_000_000);
  assert.equal(trustAt(state, START_MS + DAY_MS, low), 70_500_000);
  // A day without an act earns nothing.
  assert.equal(trustAt(state, START_MS + 9 * DAY_MS, low), 70_500_000);
  for (let day = 1; day < 20; day++) quiet(day);
  assert.equal(trustAt(state, START_MS + 30 * DAY_MS, low), 75_000_000);
  const raise = [{ id: 'S07', permille: 1000 }];
  const tMs = START_MS + 20 * DAY_MS;
  state = evolve(state, acted(state, { tMs, raised: raise }, low), low);
  assert.equal(trustAt(state, tMs, low), 40_000_000);
  assert.equal(contributions(state, tMs + DAY_MS, low).credit, 0);
});

test('a model refuses what would break its arithmetic', () => {
  const bad = (id: string, override: object): void => {
    const make = () => makeModel({ policyHash: HASH, overrides: new Map([[id, override]]) });
    assert.throws(make, TrustError);
  };
  bad('S99', {});
  bad('S03', { points: 101 });
  bad('S03', { points: 0.5 });
  bad('S03', { halfLifeMs: 0 });
  bad('S03', { halfLifeMs: 2 ** 36 + 1 });
  bad('S12', { limit: 1_000_000 });
});
