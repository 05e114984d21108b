import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  type CaseResult,
  formatProblem,
  type GoldenCase,
  inspectPolicy,
  type Policy,
  parseCases,
  runCase,
} from '#policy';
import { policyOf } from './support.ts';

const FOLDER = new URL('../../../policies/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');
const NAMES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.cases.yaml'))
  .map((name) => name.replace('.cases.yaml', ''));

function casesOf(name: string, policy: Policy): readonly GoldenCase[] {
  const parsed = parseCases(read(`${name}.cases.yaml`), `${name}.cases.yaml`, policy);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(formatProblem).join('\n'));
  return parsed.cases;
}

test('there is a policy and a file of cases for each kind of machine', () => {
  assert.deepEqual(NAMES, ['debian-server', 'kubernetes-node', 'ubuntu-server', 'workstation']);
  assert.equal(readdirSync(FOLDER).length, 2 * NAMES.length);
});

for (const name of NAMES) {
  test(`${name}: cases come out as they say, and name every rule that refuses`, () => {
    const text = read(`${name}.yaml`);
    const policy = policyOf(text);
    const cases = casesOf(name, policy);
    const results: CaseResult[] = cases.map((one) => runCase(one, policy));
    for (const [i, { misses }] of results.entries()) assert.deepEqual(misses, [], cases[i]?.name);
    for (const wanted of [
      /noisy week stays standard/,
      /quarantined by its third signal/,
      /framed agent with a floor keeps/,
      /forgiven comes back/,
      /flaps does not make the tier flap/,
    ]) {
      assert.equal(cases.filter((one) => wanted.test(one.name)).length, 1, String(wanted));
    }
    const covered = new Set(results.flatMap(({ rules }) => rules));
    const { findings } = inspectPolicy(text, name, () => covered);
    assert.deepEqual(
      findings.filter(({ severity }) => severity === 'error').map(formatProblem),
      [],
    );
    assert.deepEqual([...new Set(findings.map(({ code }) => code))].sort(), ['LOCKOUT', 'WEAK']);
  });

  test(`${name}: a case fails where the policy says otherwise`, () => {
    const text = read(`${name}.yaml`);
    const weaker = policyOf(text.replace('mode: enforce', 'mode: observe'));
    const deaf = policyOf(`${text.replace(/^signals:\n( .*\n)*/m, '')}
signals: { S03: { weight: 0 }, S08: { weight: 0 }, S21: { weight: 0 } }\n`);
    const failed = (policy: Policy): string[] =>
      casesOf(name, policy)
        .filter((one) => !runCase(one, policy).ok)
        .map((one) => one.name);
    assert.ok(failed(weaker).includes('what each tier may do'));
    assert.ok(failed(deaf).includes('who is forgiven comes back by the documented dwell'));
  });
}
