import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultPolicyText, formatProblem, parsePolicy } from '#policy';
import { dose } from '../../../packages/testkit/dose.ts';
import { check } from '../trust/property.ts';
import { HEAD } from './support.ts';

/** Long for a machine that has other things to do; what it guards against takes minutes. */
const SLOW_MS = 10_000;

const BOMB_KIB = dose === 'full' ? [16, 64, 128, 1024] : [8, 1024];

function survives(text: string): boolean {
  const started = performance.now();
  const parsed = parsePolicy(text, 'policy.yaml');
  assert.ok(performance.now() - started < SLOW_MS, `slow: ${text.slice(0, 40)}`);
  if (parsed.ok) return true;
  assert.ok(parsed.problems.length >= 1 && parsed.problems.length <= 50);
  for (const problem of parsed.problems) {
    assert.ok(problem.line >= 1 && problem.column >= 1);
    const line = formatProblem(problem);
    assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028-\u202e]/);
    assert.ok(line.length < 2000, `${line.length} characters`);
  }
  return false;
}

test('random text and random bytes are problems, not exceptions', () => {
  const any = fc.string({ unit: 'binary', maxLength: 200 });
  check(
    fc.property(any, (text) => void survives(text)),
    300,
  );
  const yamlish = fc.string({
    unit: fc.constantFrom(...'[]{}:,-?|>&*!%@`"\'#\n\t \\ab01~<=._'),
    maxLength: 120,
  });
  check(
    fc.property(yamlish, (text) => void survives(HEAD + text)),
    500,
  );
  check(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      survives(Buffer.from(bytes).toString('latin1'));
      survives(Buffer.from(bytes).toString('utf8'));
    }),
    200,
  );
});

test('a valid policy with a few bytes changed is read or refused', () => {
  const edit = fc.record({
    at: fc.nat(defaultPolicyText.length),
    cut: fc.nat(20),
    put: fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.constantFrom('\n', ' ', '- ', '"', '{', '[', '*a', '&a ', '!!int ', '? ', '<<: ', '\0'),
    ),
  });
  let refused = 0;
  check(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let text = defaultPolicyText;
      for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
      if (!survives(text)) refused += 1;
    }),
    50,
  );
  assert.ok(refused > 0);
});

test('bombs: aliases, nesting, and much of anything', () => {
  const levels = Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [*a${i - 1},*a${i - 1}]`);
  survives(`a: &a-1 [x]\n${levels.join('\n')}`);
  survives(`${HEAD}<<: &x { <<: *x }`);
  const units = [
    '[',
    '{',
    '- ',
    '? ',
    '"',
    '!a ',
    '&a ',
    '*a ',
    '[]',
    '{a: ',
    'a: ',
    ']',
    '\n',
    '|\n',
  ];
  for (const unit of units) bomb(unit);
  const deep = Array.from({ length: 1400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n');
  survives(deep);
  const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}: 1`).join('\n');
  survives(keys);
  survives(`${HEAD}grants: {\n  ${keys.replaceAll('\n', ',\n  ')} }`);
  const lists = Array.from({ length: 1000 }, () => '{ name: x, match: 1 }').join(', ');
  survives(`${HEAD}loaders: [${lists}]`);
});

function bomb(unit: string): void {
  for (const kib of BOMB_KIB) survives(unit.repeat(Math.floor((kib * 1024) / unit.length)));
}

test('keys that mean something to JavaScript mean nothing', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    for (const text of [
      `${key}: { mode: enforce }`,
      `grants: { ${key}: { commands: [], program_types: [], map_types: [] } }`,
      `bases: { principals: { ${key}: 70 } }`,
      `tiers: { ${key}: { grant: all } }`,
      `tiers: { standard: { grant: ${key} } }`,
      `loaders: [{ name: ${key}, kind: login, match: { path: /x }, grant: ${key} }]`,
    ]) {
      assert.equal(survives(HEAD + text), false, text);
    }
  }
  assert.equal(({} as Record<string, unknown>).mode, undefined);
});
