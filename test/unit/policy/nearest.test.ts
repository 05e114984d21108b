import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { COMMANDS, PROGRAM_TYPES } from '#event';
import { distance, nearest } from '../../../packages/policy/nearest.ts';
import { check } from '../trust/property.ts';

test('edit distance', () => {
  const rows: readonly [string, string, number][] = [
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['login', 'logn', 1],
    ['login', 'lgoin', 1],
    ['abcd', 'badc', 2],
  ];
  for (const [a, b, edits] of rows) {
    assert.equal(distance(a, b), edits);
    assert.equal(distance(b, a), edits);
  }
  const word = fc.string({ maxLength: 12 });
  check(
    fc.property(word, word, (a, b) => {
      const edits = distance(a, b);
      assert.ok(edits >= Math.abs(a.length - b.length) && edits <= Math.max(a.length, b.length));
      assert.equal(edits === 0, a === b);
    }),
  );
});

test('the nearest name, where one is near', () => {
  assert.equal(nearest('PROG_LAOD', COMMANDS), 'PROG_LOAD');
  assert.equal(nearest('bpf_map_create', COMMANDS), 'MAP_CREATE');
  assert.equal(nearest('BPF_PROG_TYPE_KPROBE', PROGRAM_TYPES), 'KPROBE');
  assert.equal(nearest('map-create', COMMANDS), 'MAP_CREATE');
  assert.equal(nearest('REBOOT', COMMANDS), null);
  assert.equal(nearest('', COMMANDS), null);
  assert.equal(nearest('x'.repeat(100_000), COMMANDS), null);
});
