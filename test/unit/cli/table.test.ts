import assert from 'node:assert/strict';
import test from 'node:test';
import { header, line, type Row } from '../../../cli/shared/table.ts';

const row: Row = {
  time: '2026-11-23T09:14:07.218431Z',
  display: 'alice',
  loader: { name: null, path: '/home/alice/hide' },
  process: { comm: 'hide', pid: 4121 },
  act: { command: 'PROG_LOAD', result: -1, errno: 'EPERM', count: 1 },
  program: { id: null, type: 'KPROBE', name: 'hide', claimed: true },
  map: null,
  link: null,
  path: null,
  verdict: { decision: 'would_deny', rule: 'tiers.standard.commands' },
  trust: { before: 90, after: 50, tier: 'restricted', signals: ['S07'] },
};
const wide = { columns: 160, color: false };

test('a line has all that a person asks: when, who, with what, what, on what, how it ended', () => {
  const text = line(row, wide);
  for (const part of ['09:14:07.218', 'alice', 'hide', 'PROG_LOAD', 'prog KPROBE hide?', 'EPERM']) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
  assert.match(text, /would_deny 50 restricted S07$/);
  const wider = line(row, { ...wide, columns: 200 });
  assert.match(wider, /restricted S07 \(tiers\.standard\.commands\)$/, 'the rule, if it fits');
});

test('columns stand below their headings, however long a cell is', () => {
  const long = { ...row, display: 'x'.repeat(60), loader: { name: 'y'.repeat(60), path: '' } };
  const head = header(wide);
  for (const text of [line(row, wide), line(long, wide)]) {
    assert.equal(text.indexOf('PROG_LOAD'), head.indexOf('ACT'));
  }
});

test('a narrow terminal loses the width of targets and loaders, not lines', () => {
  const narrow = { columns: 120, color: false };
  assert.ok(line(row, narrow).length <= 130);
  assert.match(line(row, narrow), /restricted S07$/);
  assert.ok(header(narrow).length < header(wide).length);
});

test('no control character of a name reaches the terminal', () => {
  const hostile = { ...row, display: '\x1b[2Jroot', loader: { name: 'a\nb', path: '' } };
  assert.doesNotMatch(line(hostile, wide), /[\x00-\x1f\x7f]/);
});

test('a count is shown with its command', () => {
  const many = { ...row, act: { ...row.act, command: 'MAP_LOOKUP_ELEM', count: 812 } };
  assert.match(line(many, wide), /MAP_LOOKUP_ELEM ×812/);
});
