import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { COMMANDS } from '#event';
import { diffPolicies, type GrantMasks, grantMasks, hashPolicy, type Policy } from '#policy';
import { check } from '../trust/property.ts';
import { fileArb, HEAD, policyOf } from './support.ts';

/**
 * differences.txt: lines of the old policy after `- `, of the new one after `+ `, of both after
 * `| `, and after `> ` what is said of it, with its kind.
 */
const DIFFERENCES = readFileSync(new URL('differences.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n\n')
  .map((block) => {
    const lines = block.split('\n');
    const starting = (...marks: string[]): string[] =>
      lines.flatMap((line) => (marks.includes(line.slice(0, 2)) ? [line.slice(2)] : []));
    return {
      before: starting('| ', '- ').join('\n'),
      after: starting('| ', '+ ').join('\n'),
      found: starting('> '),
    };
  });

const withHead = (text: string): string =>
  text.startsWith('version') ? `${text}\n` : `${HEAD}${text}\n`;

test('differences are said in words', () => {
  assert.ok(DIFFERENCES.length >= 25);
  for (const { before, after, found } of DIFFERENCES) {
    const changes = diffPolicies(policyOf(withHead(before)), policyOf(withHead(after)));
    const said = changes.map(({ kind, text }) => `${kind} ${text}`);
    assert.deepEqual(said, found, `${before}\n-->\n${after}`);
  }
});

/** What a grant lets, apart from bits that have no name. */
function shape({ commands = 0n, kfuncs = [] }: Partial<GrantMasks>): string {
  return `${commands & ((1n << BigInt(COMMANDS.length)) - 1n)} ${kfuncs.join()}`;
}

test('something is said exactly where two policies have different hashes', () => {
  check(
    fc.property(fileArb, fileArb, (one, other) => {
      const [before, after] = [policyOf(one), policyOf(other)];
      assert.deepEqual(diffPolicies(before, before), []);
      const isSame = hashPolicy(before) === hashPolicy(after);
      const isSaid = diffPolicies(before, after).length > 0;
      if (isSame) assert.ok(!isSaid);
      if (isSame || isSaid) return;
      // Nothing is said only where grants that mean the same are spelled in two ways.
      const masks = (policy: Policy) => {
        const named = new Map(grantMasks(policy).map((grant) => [grant.name, grant]));
        return policy.tiers.map((name) => ({ ...named.get(name), name: '' }));
      };
      assert.deepEqual(masks(before).map(shape), masks(after).map(shape));
    }),
    60,
  );
});
