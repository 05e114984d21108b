import assert from 'node:assert/strict';
import test from 'node:test';
import { CATALOGUE } from './catalogue/index.ts';
import { coverageTable, WAYS } from './coverage.ts';
import type { Row } from './types.ts';

const row = (attack: string, setting: Row['setting'], got: Row['got'], kernel = '6.12'): Row => ({
  attack,
  family: 'control',
  kernel,
  setting,
  expected: setting === 'enforce' ? 'refused' : 'reported',
  got,
  event: got === 'allowed' ? null : 'LINK_UPDATE',
  how: '',
});

test('every way is gone by attacks that there are', () => {
  const names = new Set(CATALOGUE.map(({ name }) => name));
  const unknown = WAYS.flatMap(([, attacks]) => attacks.filter((name) => !names.has(name)));
  assert.deepEqual(unknown, []);
});

test('one attack that nobody saw, or that got through, is enough', () => {
  const lineOf = (rows: readonly Row[], way: string) =>
    coverageTable(rows)
      .split('\n')
      .find((line) => line.startsWith(`| ${way} |`));
  const detach = '`PROG_DETACH`, `LINK_DETACH`';
  const good = [row('detach', 'observe', 'reported'), row('detach', 'enforce', 'refused')];
  assert.equal(lineOf(good, detach), `| ${detach} | seen, denied |`);
  const unseen = [...good, row('link-detach', 'observe', 'allowed')];
  assert.equal(lineOf(unseen, detach), `| ${detach} | not seen, denied |`);
  const through = [...good, row('link-detach', 'enforce', 'reported')];
  assert.equal(lineOf(through, detach), `| ${detach} | seen, **not denied** |`);
  const elsewhere = [...good, row('detach', 'enforce', 'refused', '7.2')];
  assert.equal(lineOf(elsewhere, detach), `| ${detach} | seen, denied | denied |`);
});
