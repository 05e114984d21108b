import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Findings } from '../../../cli/shared/verified.ts';

test('findings: the first ones, and all of them by code', (t) => {
  const findings = new Findings<{ code: 'TRUNCATED' | 'FORK'; at: number }>();
  const lines: string[] = [];
  t.mock.method(console, 'log', (line: string) => lines.push(line));
  findings.print(() => 'nothing');
  for (let at = 0; at < 50; at++) findings.add({ code: at === 3 ? 'FORK' : 'TRUNCATED', at });
  findings.print(({ code, at }) => `${at} ${code}`);
  assert.equal(lines.length, 21);
  assert.equal(lines[3], '3 FORK');
  assert.equal(lines[20], 'and 30 more; in all 49 TRUNCATED, 1 FORK');
  const { count, codes, findings: shown } = JSON.parse(JSON.stringify(findings));
  assert.deepEqual([count, codes, shown.length], [50, { TRUNCATED: 49, FORK: 1 }, 20]);
});
