import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { backtest, type Measures, PastReader } from '#backtest';
import { encode, type Override, type PrincipalKey } from '#event';
import { overrideControl } from '#fold';
import { defaultPolicy, modelOf, type Policy, parsePolicy } from '#policy';
import { factsText, fold, initialState, type TrustState } from '#trust';
import { FLEET_WINDOW, type Fleet, fleetOf } from '../fixtures/fleet.ts';
import { said } from '../unit/trust/support.ts';

const PAGE = new URL('../../docs/operating/trust-figures.md', import.meta.url);
const POLICIES = new URL('../../policies/', import.meta.url);
const SEEDS = [1, 2, 3, 4, 5];

/** Everybody's acts through the fold of production: what it would have left in `bpf.signals`. */
function pastOf({ acts, labels }: Fleet, policy: Policy) {
  const model = modelOf(policy);
  const states = new Map<PrincipalKey, TrustState>();
  const reader = new PastReader();
  for (const [n, { timeMs, facts }] of acts.entries()) {
    const { principal } = facts;
    const before = states.get(principal) ?? initialState(principal, model);
    const record = { type: 'act', eventTimeMs: timeMs, appendedMs: timeMs, facts } as const;
    const { state, outcome } = fold(before, record, model);
    states.set(principal, state);
    if (outcome.signals.length === 0 && !outcome.firstOfDay) continue;
    const signals = [...outcome.signals];
    const event = `${facts.host}/00000000000000aa/0/${n}`;
    const text = factsText(facts);
    reader.take(encode('Signal', { principal, event, timeMs, signals, facts: text }));
  }
  for (const [n, { principal, fromMs, toMs, verdict }] of labels.entries()) {
    const id = n.toString(16).padStart(16, '0');
    const what = {
      id,
      verb: 'label',
      principal,
      timeMs: toMs,
      fromMs,
      toMs,
      label: verdict,
    } as const;
    const override: Override = said(what);
    const control = { ...overrideControl(override, toMs), mac: Buffer.alloc(0) };
    reader.take(encode('Control', control));
  }
  return reader.past();
}

function measured(seed: number, policy: Policy): Measures {
  const past = pastOf(fleetOf(seed), policy);
  const { candidate } = backtest({
    past,
    baseline: policy,
    candidate: policy,
    window: FLEET_WINDOW,
    marginal: false,
  });
  return candidate;
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;

/** A row of the page: all seeds together. */
function rowOf(name: string, policy: Policy): string {
  const all = SEEDS.map((seed) => measured(seed, policy));
  const sum = (of: (one: Measures) => number) => all.reduce((total, one) => total + of(one), 0);
  const hits = sum(({ confusion }) => confusion.incidentsRestricted);
  const missed = sum(({ confusion }) => confusion.incidentsMissed);
  const wrong = sum(({ confusion }) => confusion.alarmsRestricted);
  const left = sum(({ confusion }) => confusion.alarmsLeft);
  const hours = sum(({ restrictedHoursPerWeek }) => restrictedHoursPerWeek) / SEEDS.length;
  const precision = percent(hits, hits + wrong);
  const recall = percent(hits, hits + missed);
  return (
    `| ${name} | ${hits} of ${hits + missed} | ${wrong} of ${wrong + left} | ${precision} | ` +
    `${recall} | ${hours.toFixed(0)} |`
  );
}

/** The fleet's people are in a realm: a policy that names none is asked with theirs. */
function inRealm(policy: Policy): Policy {
  const realm = { name: 'corp', first: 10_000, last: 59_999, managed: true };
  return { ...policy, realms: [realm] };
}

function policies(): [string, Policy][] {
  const files = readdirSync(POLICIES)
    .filter((name) => name.endsWith('.yaml') && !name.endsWith('.cases.yaml'))
    .sort();
  const ready = files.map((file): [string, Policy] => {
    const parsed = parsePolicy(readFileSync(new URL(file, POLICIES), 'utf8'), file);
    assert.ok(parsed.ok, file);
    return [file.replace('.yaml', ''), parsed.policy];
  });
  const all: [string, Policy][] = [['built-in', defaultPolicy()], ...ready];
  return all.map(([name, policy]) => [name, policy.realms.length > 0 ? policy : inRealm(policy)]);
}

test('the same seed gives the same fleet', () => {
  assert.deepEqual(fleetOf(7), fleetOf(7));
  assert.notDeepEqual(fleetOf(7).labels, fleetOf(8).labels);
  const { acts, labels } = fleetOf(1);
  assert.ok(acts.length > 2000 && labels.length === 42);
});

test('the page has the figures of every ready policy', () => {
  const page = readFileSync(PAGE, 'utf8');
  const rows = policies().map(([name, policy]) => rowOf(name, policy));
  const missing = rows.filter((row) => !page.includes(row));
  assert.deepEqual(missing, [], `rows of ${PAGE.pathname}`);
});
