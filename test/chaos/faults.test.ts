import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { FAULTS } from './faults.ts';

test('every fault of npm run chaos has a test, by its number in a file of several', () => {
  for (const [id, { file, named }] of Object.entries(FAULTS)) {
    const text = readFileSync(resolve(import.meta.dirname, '..', file), 'utf8');
    const title = named === true ? `test\\('[^']*\\b${id}\\b` : `\\b(test|it)\\(`;
    assert.match(text, new RegExp(title), id);
  }
});
