import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type CaseResult, formatProblem, parseCases, runCase } from '#policy';
import { policyOf } from './support.ts';

const POLICY = policyOf(`version: 1
mode: enforce
realms: [{ name: corp, uids: 10000-59999 }]
loaders:
  - { name: sshd, kind: login, match: { path: /usr/sbin/sshd } }
  - name: cilium
    match: { path: /usr/bin/cilium-agent }
    floor: standard
    grant: networking
grants:
  networking: { commands: ["*"], program_types: [XDP, SCHED_CLS], map_types: ["*"] }
reflex: [{ on: helpers, tier: quarantined, for: 10m }]
context:
  changes: [{ hosts: ["web-*"], from: 2026-01-05T20:00Z, to: 2026-01-05T23:00Z }]
`);

function caseOf(about: string, ...steps: string[]): CaseResult {
  const story = steps.map((step) => `      - ${step}`).join('\n');
  const text = `version: 1\ncases:\n  - name: x\n    about: ${about}\n    story:\n${story}\n`;
  const parsed = parseCases(text, 'x.cases.yaml', POLICY);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(formatProblem).join('\n'));
  assert.equal(parsed.cases.length, 1);
  return runCase(parsed.cases[0]!, POLICY);
}

function told(about: string, ...steps: string[]): void {
  const { misses } = caseOf(about, ...steps);
  assert.deepEqual(misses, []);
}

const WRITES = 'act: PROG_LOAD, program: KPROBE, helpers: [probe_write_user]';

test('an act is judged, counts, and its tier comes back by its dwell', () => {
  const judged = 'verdict: deny, rule: tiers.standard.helpers';
  told(
    'uid:10001@corp',
    `{ at: day 1 09:00, ${WRITES}, expect: { ${judged}, raises: [S03], tier: restricted } }`,
    '{ expect: { trust: 50, signals: [S03], changes: 1 } }',
    '{ at: day 7 09:00, expect: { tier: restricted } }',
    '{ at: day 8 09:00, expect: { tier: standard, trust: 60..65, changes: 2 } }',
  );
});

test('what differs is said with line, time, both values and the way there', () => {
  const result = caseOf(
    'uid:10001@corp',
    `{ at: day 1 09:00, ${WRITES} }`,
    '{ at: day 8 09:00:30, expect: { tier: restricted, trust: 90, signals: [] } }',
  );
  assert.deepEqual(result.misses, [
    {
      line: 7,
      at: 'day 8 09:00:30',
      key: 'tier',
      expected: 'restricted',
      found: 'standard',
    },
    { line: 7, at: 'day 8 09:00:30', key: 'trust', expected: '90', found: '61.72' },
    { line: 7, at: 'day 8 09:00:30', key: 'signals', expected: 'none', found: 'S03' },
  ]);
  assert.deepEqual(
    result.changes.map(({ from, to, why }) => [from, to, why]),
    [
      [3, 2, 'S03'],
      [2, 3, 'time'],
    ],
  );
});

test('acts repeat, overlap and stand in order of time', () => {
  told(
    'uid:33@web-1',
    '{ at: day 1 09:00, every: 1h x48, act: PROG_GET_NEXT_ID, count: 300 }',
    '{ at: day 1 12:30, expect: { trust: 65, tier: standard } }',
    '{ at: day 4 09:00, every: 1m x3, act: PROG_LOAD, program: LSM, expect: { verdict: deny } }',
  );
});

test('an ask changes nothing', () => {
  told(
    'uid:10001@corp',
    '{ ask: PROG_LOAD, program: KPROBE, helpers: [probe_write_user], expect: { verdict: deny } }',
    '{ expect: { signals: [], changes: 0, tier: standard } }',
  );
});

test('a refusal with a reflex lowers the next call, for its time', () => {
  const kprobe = 'ask: PROG_LOAD, program: KPROBE';
  told(
    'uid:10001@corp',
    `{ at: day 1 09:00, ${WRITES} }`,
    `{ at: +1m, ${kprobe}, expect: { verdict: deny, rule: tiers.quarantined.commands } }`,
    `{ at: +10m, ${kprobe}, expect: { verdict: deny, rule: tiers.restricted.program_types } }`,
  );
});

test("an agent acts through its own loader, and evidence doesn't take it below its floor", () => {
  const byLoader = 'verdict: deny, rule: loaders.cilium.program_types';
  const held = 'tier: standard, verdict: allow';
  told(
    'cilium@node-1',
    '{ act: PROG_LOAD, program: XDP, expect: { verdict: allow } }',
    `{ ask: PROG_LOAD, program: KPROBE, expect: { ${byLoader} } }`,
    `{ every: 1d x3, act: MAP_LOOKUP_ELEM, places: [memfd], expect: { ${held} } }`,
    '{ expect: { trust: 20, changes: 0 } }',
    '{ say: pin, tier: denied, expect: { tier: denied, refused: false } }',
  );
});

test('what operators say', () => {
  const kprobe = 'ask: PROG_LOAD, program: KPROBE';
  const lowered = 'verdict: deny, rule: tiers.restricted.program_types';
  told(
    'uid:10001@corp',
    '{ at: day 1 09:00, act: PROG_LOAD, program: LSM, expect: { raises: [S02] } }',
    `{ ${kprobe}, expect: { ${lowered} } }`,
    '{ at: +1h, say: pin, tier: standard, expect: { refused: true } }',
    '{ say: pin, tier: standard, for: 4h, as: on-call, expect: { tier: standard } }',
    `{ ${kprobe}, expect: { verdict: allow } }`,
    '{ at: +1h, say: lift, lifts: on-call, expect: { tier: restricted } }',
    '{ say: break_glass, commands: [PROG_LOAD], for: 15m }',
    `{ ${kprobe}, expect: { verdict: allow } }`,
    '{ ask: PROG_GET_NEXT_ID, expect: { verdict: deny } }',
    `{ at: +15m, ${kprobe}, expect: { ${lowered} } }`,
    '{ say: observe, for: 1h }',
    `{ ${kprobe}, expect: { verdict: would_deny, rule: tiers.restricted.program_types } }`,
    '{ at: +2h, say: pardon, signals: [S02], expect: { tier: restricted, trust: 90 } }',
    '{ expect: { signals: [] } }',
    '{ at: +6h, expect: { tier: standard } }',
  );
});

test('risk from outside, and a change window', () => {
  told(
    'uid:33@web-1',
    '{ at: day 1 08:00, risk: 100%, expect: { raises: [S18], trust: 35, tier: restricted } }',
    '{ at: day 1 08:00, say: pardon, now: true, expect: { tier: standard } }',
    '{ at: 2026-01-05T21:00Z, act: MAP_CREATE, places: [memfd], expect: { raises: [S07] } }',
    '{ expect: { trust: 59 } }',
  );
});

test('a host speaks of itself', () => {
  told('host:web-1', '{ act: RING_TAMPER, expect: { raises: [S01], tier: denied, trust: 10 } }');
  told('host:web-1', '{ act: LOSS, declared: false, expect: { raises: [S17] } }');
});

/** As broken.txt: lines of a case file from its story on after `| `, what is wrong after `> `. */
const BROKEN = readFileSync(new URL('broken-cases.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n\n')
  .map((block) => {
    const starting = (mark: string): string[] =>
      block.split('\n').flatMap((line) => (line.startsWith(mark) ? [line.slice(2)] : []));
    return { text: starting('| ').join('\n'), message: starting('> ').join('\n') };
  });

test('each broken case says where, what, and what belongs there', () => {
  assert.ok(BROKEN.length >= 25);
  for (const { text, message } of BROKEN) {
    const head = 'version: 1\ncases:\n- name: x\n  about: uid:33@web-1\n  story:\n';
    const parsed = parseCases(text.startsWith('version') ? text : head + text, 'x.yaml', POLICY);
    assert.ok(!parsed.ok, `accepted: ${text}`);
    assert.equal(formatProblem(parsed.problems[0]!), `x.yaml:${message}`, text);
  }
});
