import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { canonical, defaultPolicy, parseCases, parsePolicy, runCase } from '#policy';
import { CATEGORIES, RAISED_SIGNALS, SIGNALS, TIER_NAMES } from '#trust';
import { DAY_MS } from '../../../packages/trust/time.ts';
import { HEAD, policyOf } from './support.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
const reference = read('reference/policy.md');
const concept = read('concepts/trust.md');

/** The first cells of a page's tables. */
function firstCells(page: string): string[] {
  return [...page.matchAll(/^\| (.*?) \|/gm)].map(([, cell]) => cell as string);
}

test('the examples of the reference are valid, each by itself', () => {
  const blocks = [...reference.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text as string);
  assert.ok(blocks.length >= 9);
  for (const block of blocks) {
    policyOf(block.includes('version:') ? block : HEAD + block);
  }
});

test('the reference has a row or a section for every key and every problem', () => {
  const keys = Object.keys(JSON.parse(canonical(defaultPolicy())));
  for (const key of [...keys, 'programs', 'hours']) {
    assert.ok(firstCells(reference).includes(`\`${key}\``), key);
  }
  const source = readFileSync(
    new URL('../../../packages/policy/problem.ts', import.meta.url),
    'utf8',
  );
  const codes = [...source.matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map(([, code]) => code as string);
  assert.ok(codes.length >= 12);
  for (const code of codes) assert.ok(firstCells(reference).includes(`\`${code}\``), code);
});

test('the page on golden cases: its example is told as it says, every key has a row', () => {
  const page = read('reference/policy-cases.md');
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const policy = policyOf('version: 1\nmode: enforce\n');
  const parsed = parseCases(example, 'policy.cases.yaml', policy);
  assert.ok(parsed.ok && parsed.cases.length === 1);
  assert.deepEqual(runCase(parsed.cases[0]!, policy).misses, []);
  const url = new URL('../../../schemas/policy-cases.schema.json', import.meta.url);
  const { properties, $defs } = JSON.parse(readFileSync(url, 'utf8'));
  const keys = [
    ...Object.keys(properties.cases.items.properties),
    ...Object.keys($defs.step.properties),
    ...Object.keys($defs.expect.properties),
  ];
  for (const key of keys) assert.ok(page.includes(`\`${key}\``), key);
});

test('the sample problem of the reference is what the checker says', () => {
  const sample = reference.match(/^policy\.yaml:12:34: (.*)$/m)?.[1];
  const text = `${HEAD}loaders: [{ name: x, kind: logn, match: { path: /x } }]`;
  const parsed = parsePolicy(text, 'policy.yaml');
  assert.ok(!parsed.ok);
  const { message, expected, nearest } = parsed.problems[0]!;
  const said = `loaders[2].kind: ${message}; expected ${expected}; did you mean "${nearest}"?`;
  assert.equal(sample, said);
});

test("the concept page has the model's tables", () => {
  const raised = new Set(RAISED_SIGNALS.map(({ id }) => id));
  for (const { id, points, halfLifeMs, category } of SIGNALS) {
    const cells = `\\| ${points} \\| ${halfLifeMs / DAY_MS} d \\| ${category} \\|`;
    const row = new RegExp(`^\\| ${id} \\| .* ${cells} ${raised.has(id) ? 'yes ' : ''}\\|$`, 'm');
    assert.match(concept, row);
  }
  for (const { category, capPoints, low } of CATEGORIES) {
    assert.ok(concept.includes(`| ${category} | ${capPoints} | ${low ? 'yes ' : ''}|`), category);
  }
  for (const [tier, name] of TIER_NAMES.entries()) {
    assert.ok(concept.includes(`| T${tier} | ${name} |`), name);
  }
});
