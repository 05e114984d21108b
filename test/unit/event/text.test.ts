import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { safeText } from '#event';

test('what could move the cursor or pose as another column is spelled out', () => {
  assert.equal(safeText('a\x1b[31mb'), 'a\\x1b[31mb');
  assert.equal(safeText('a\nb\tc\rd'), 'a\\nb\\tc\\x0dd');
  assert.equal(safeText('evil\u202egpj.sh'), 'evil\\u202egpj.sh');
  assert.equal(safeText('\u009b2J'), '\\x9b2J');
  assert.equal(safeText('lone \ud800 surrogate'), 'lone \\ud800 surrogate');
  assert.equal(safeText('naïve ✓ 漢字 😀'), 'naïve ✓ 漢字 😀');
});

test('no control character is ever left', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(safeText(text), /[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
    }),
  );
});
