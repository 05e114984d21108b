import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applyChange,
  backtest,
  changeProblem,
  PastReader,
  parseChange,
  tierAt,
  tryOut,
} from '#backtest';
import { encode, type Override, type PrincipalKey, principalKey } from '#event';
import { overrideControl } from '#fold';
import { defaultPolicy, modelOf, type Policy, parsePolicy } from '#policy';
import { factsText } from '#trust';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../packages/trust/time.ts';
import { factsWith, START_MS, said } from '../trust/support.ts';

const ALICE = principalKey('uid:10001@corp');
const BOB = principalKey('uid:10002@corp');
const parsed = parsePolicy(
  'version: 1\nmode: enforce\nrealms: [{ name: corp, uids: 10000-59999 }]\n',
  'test',
);
assert.ok(parsed.ok);
const { policy } = parsed;
const day = (n: number): number => START_MS + n * DAY_MS;
const window = { fromMs: START_MS, toMs: day(60) };
const S03 = { command: 'PROG_LOAD', programType: 'CGROUP_SKB', helpers: ['probe_write_user'] };

let events = 0;

/** What the fold would have left of an act. */
function act(principal: PrincipalKey, timeMs: number, facts = {}, signals: string[] = []) {
  const all = factsWith({ principal, decision: 'would_deny', ...facts });
  return encode('Signal', {
    principal,
    event: `web-1/00000000000000aa/0/${events++}`,
    timeMs,
    signals: signals.map((id) => ({ id, added: 0 })),
    facts: factsText(all),
  });
}

const word = (override: Override) =>
  encode('Control', { ...overrideControl(override, override.timeMs), mac: Buffer.alloc(0) });

const label = (principal: PrincipalKey, fromMs: number, verdict: string) =>
  word(
    said({
      id: (events++).toString(16).padStart(16, '0'),
      verb: 'label',
      principal,
      timeMs: fromMs,
      fromMs,
      toMs: fromMs + HOUR_MS,
      label: verdict,
    }),
  );

/** Three quiet days, so that all evidence counts; then what is given. */
function pastOf(...values: Uint8Array[]) {
  const reader = new PastReader();
  for (const principal of [ALICE, BOB]) {
    for (let n = 0; n < 3; n++) reader.take(act(principal, day(n)));
  }
  for (const value of values) reader.take(value);
  return reader.past();
}

function lighter(points: number): Policy {
  const change = parseChange(`S03.weight=${points}`);
  assert.ok(change);
  return applyChange(policy, change) as Policy;
}

const run = (past: ReturnType<typeof pastOf>, candidate: Policy, marginal = false) =>
  backtest({ past, baseline: policy, candidate, window, marginal });

test('the same policy makes no difference', () => {
  const past = pastOf(act(ALICE, day(3), S03));
  const report = run(past, policy);
  assert.deepEqual(report.differences, []);
  assert.deepEqual(report.baseline, report.candidate);
  assert.equal(report.candidate.restrictedPrincipals, 1);
  assert.equal(report.candidate.refusedActs, 1, 'the load that calls probe_write_user');
});

test('a lighter signal: who, from when, from what to what, how long, and why', () => {
  const raised = act(ALICE, day(3), S03);
  const report = run(pastOf(raised), lighter(20));
  const [one] = report.differences;
  assert.equal(report.differences.length, 1);
  assert.deepEqual(
    [one?.principal, one?.fromMs, one?.before, one?.after, one?.cause],
    [ALICE, day(3), 'restricted', 'standard', `web-1/00000000000000aa/0/${events - 7}`],
  );
  // Restricted until trust has recovered to 60 and stayed there for six hours.
  const timeline = tryOut(ALICE, pastOf(raised).principals.get(ALICE) ?? [], {
    model: modelOf(policy),
    window,
  });
  const until = timeline.steps.at(-1)?.timeMs as number;
  assert.equal(one?.minutes, (until - day(3)) / MINUTE_MS);
  assert.equal(report.candidate.restrictedHoursPerWeek, 0);
});

test('precision and recall go by the state a minute after, not by a fall some time', () => {
  const past = pastOf(
    act(ALICE, day(3), S03),
    label(ALICE, day(3), 'tp'),
    act(BOB, day(4), S03),
    label(BOB, day(4), 'fp'),
    label(BOB, day(2), 'tp'),
  );
  const { baseline, candidate, labels } = run(past, lighter(20));
  assert.equal(labels, 3);
  assert.deepEqual(baseline.confusion, {
    incidentsRestricted: 1,
    incidentsMissed: 1,
    alarmsRestricted: 1,
    alarmsLeft: 0,
  });
  assert.deepEqual([baseline.precision, baseline.recall], [0.5, 0.5]);
  // Bob was restricted two days after what is said to have begun on the second day.
  assert.deepEqual(baseline.timeToRestrict, { p50: 0, p95: 2 * DAY_MS });
  assert.deepEqual([candidate.precision, candidate.recall], [null, 0]);
});

test('what each signal is worth, and which are silent', () => {
  const past = pastOf(
    act(ALICE, day(3), S03),
    label(ALICE, day(3), 'tp'),
    act(ALICE, day(3) + 1, { auidStatus: 'claimed' }),
  );
  const { marginal, silent } = run(past, policy, true);
  const of = (id: string) => marginal.find(({ signal }) => signal === id);
  assert.deepEqual([of('S03')?.recall, of('S03')?.changesNothing], [0, false]);
  assert.deepEqual([of('S21')?.recall, of('S21')?.raised], [1, 1]);
  assert.ok(silent.includes('S07') && !silent.includes('S03'));
});

test('signals that need a memory are taken as recorded, the others are judged anew', () => {
  const past = pastOf(
    act(ALICE, day(3), { command: 'MAP_GET_NEXT_ID' }, ['S12']),
    act(ALICE, day(4), {}, ['S07']),
  );
  const { raised } = run(past, policy).candidate;
  assert.deepEqual({ ...raised }, { S12: 1 });
});

test('an override of then counts under both policies', () => {
  const pardon = said({ id: 'f'.repeat(16), verb: 'pardon', timeMs: day(4), now: true });
  const past = pastOf(act(ALICE, day(3), S03), word({ ...pardon, principal: ALICE }));
  const { differences } = run(past, lighter(20));
  assert.deepEqual(
    differences.map(({ minutes }) => minutes),
    [24 * 60],
  );
});

test('timers run at their very times', () => {
  const past = pastOf(act(ALICE, day(3), S03)).principals.get(ALICE) ?? [];
  const timeline = tryOut(ALICE, past, { model: modelOf(policy), window });
  const rise = timeline.steps.at(-1)?.timeMs as number;
  assert.equal(tierAt(timeline, rise - 1), 2);
  assert.equal(tierAt(timeline, rise), 3);
  assert.equal(tierAt(timeline, START_MS - 1), null);
});

test('changes: what is one, and what can not be', () => {
  for (const text of ['S07', 'S07.weight', 'S7.weight=1', 'S07.weight=1d', 'S07.half_life=3']) {
    assert.equal(parseChange(text), null, text);
  }
  const unknown = parseChange('S99.weight=1');
  assert.equal(unknown && applyChange(policy, unknown), null);
  const all = applyChange(defaultPolicy(), {
    signal: 'S*',
    parameter: 'half_life',
    value: 0.5,
    isFactor: true,
  }) as Policy;
  assert.equal(all.signals.find(({ id }) => id === 'S07')?.halfLifeMs, 84 * HOUR_MS);
  assert.equal(changeProblem(all), null);
});
