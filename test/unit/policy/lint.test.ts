import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatProblem, inspectPolicy, noiseFloors, type Policy } from '#policy';
import { lintLimits, lintNoise } from '../../../packages/policy/lint/evidence.ts';
import { Report } from '../../../packages/policy/lint/report.ts';
import { enforcingRules } from '../../../packages/policy/lint/rules.ts';
import { Source } from '../../../packages/policy/source.ts';
import { HEAD, policyOf } from './support.ts';

const EVERY_RULE = (policy: Policy): ReadonlySet<string> => new Set(enforcingRules(policy));

/** Findings of one code, without the file. */
function found(text: string, code: string): string[] {
  const { parsed, findings } = inspectPolicy(text, 'policy.yaml', EVERY_RULE);
  assert.ok(parsed.ok, findings.map(formatProblem).join('\n'));
  return findings
    .filter((one) => one.code === code)
    .map((one) => `${one.severity} ${formatProblem(one).slice('policy.yaml:'.length)}`);
}

/** unwise.txt: as broken.txt, with all findings of the code that stands after `= `. */
const UNWISE = readFileSync(new URL('unwise.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n\n')
  .map((block) => {
    const starting = (mark: string): string[] =>
      block.split('\n').flatMap((line) => (line.startsWith(mark) ? [line.slice(2)] : []));
    return { text: starting('| ').join('\n'), code: starting('= ')[0], found: starting('> ') };
  });

test('what is unwise is said with its place, why, and what would be better', () => {
  assert.ok(UNWISE.length >= 20);
  for (const one of UNWISE) {
    const text = one.text.startsWith('version') ? one.text : HEAD + one.text;
    assert.deepEqual(found(`${text}\n`, one.code as string), one.found, one.text);
  }
});

test('the built-in policy is said to be unwise in one way only', () => {
  const { findings } = inspectPolicy(HEAD, 'policy.yaml', () => null);
  assert.deepEqual(
    findings.map(({ code, severity }) => `${severity} ${code}`),
    ['warning LOCKOUT'],
  );
});

test('a policy that can not be read has its problems as errors', () => {
  const { parsed, findings } = inspectPolicy('mode: observe', 'policy.yaml', () => null);
  assert.ok(!parsed.ok);
  assert.deepEqual(
    findings.map(({ code, severity }) => `${severity} ${code}`),
    ['error MISSING'],
  );
});

test('the noise floor is computed for every base, with every low-confidence signal', () => {
  const policy = policyOf(`${HEAD}bases: { realm: 100, principals: { "uid:33@web-1": 66 } }\n`);
  const floors = noiseFloors(policy).map(({ what, left }) => `${what} ${left}`);
  assert.deepEqual(floors, [
    'realm 66',
    'unmanaged 56',
    'loader 56',
    'loader_path 56',
    'uid 56',
    'host 56',
    'uid:33@web-1 56',
  ]);
  // No file gets this far: bases below 55 are refused. The lint does not rely on that.
  const report = new Report(new Source('policy.yaml'));
  lintNoise(report, { ...policy, bases: { ...policy.bases, uid: 50 } });
  assert.deepEqual(
    report.findings.map(({ severity, code, path }) => [severity, code, path]),
    [['error', 'NOISE_FLOOR', 'bases.uid']],
  );
});

test('a 33rd signal is refused: a state has room for 32', () => {
  const policy = policyOf(HEAD);
  const [signal] = policy.signals;
  const with33 = { ...policy, signals: Array.from({ length: 33 }, () => signal!) };
  const said = (one: Policy): string[] => {
    const report = new Report(new Source('policy.yaml'));
    lintLimits(report, one);
    return report.findings.map(({ message }) => message);
  };
  assert.deepEqual(said(policy), []);
  assert.deepEqual(said(with33), ['33 signals: a state has room for 32']);
});

test('rules that refuse: by tier and loader, none that nothing can come to', () => {
  const enforce = HEAD.replace('observe', 'enforce');
  const rules = (text: string): readonly string[] => enforcingRules(policyOf(enforce + text));
  assert.deepEqual(rules(''), [
    'tiers.denied.commands',
    'tiers.quarantined.commands',
    ...[
      'commands',
      'program_types',
      'map_types',
      'attach_types',
      'helpers',
      'kfuncs',
      'objects',
    ].map((dimension) => `tiers.restricted.${dimension}`),
    ...['commands', 'program_types', 'map_types', 'attach_types', 'helpers'].map(
      (dimension) => `tiers.standard.${dimension}`,
    ),
  ]);
  assert.deepEqual(enforcingRules(policyOf(HEAD)), []);
  const loader = `loaders:
  - { name: sshd, kind: login, match: { path: /usr/sbin/sshd } }
  - { name: a, match: { path: /a }, grant: a }
grants:
  a: { commands: ["!TOKEN_CREATE", "*"], program_types: ["!XDP", "*"], map_types: ["*"] }
  unknown: { commands: [OBJ_GET], program_types: [], map_types: [], objects: own }
`;
  assert.deepEqual(
    rules(loader).filter((rule) => rule.startsWith('loaders')),
    [
      'loaders.a.commands',
      'loaders.a.program_types',
      'loaders.unknown.commands',
      'loaders.unknown.objects',
    ],
  );
});
