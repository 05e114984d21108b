import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { setAside } from '#log';
import { placeFor } from './place.ts';

const NOW = Date.UTC(2026, 10, 23, 9, 14, 7, 123);

it('setAside moves the file and what belongs to it, and keeps all of it', () => {
  const file = placeFor('aside');
  for (const suffix of ['', '-wal', '-shm']) writeFileSync(file + suffix, `content${suffix}`);
  const kept = setAside(file, NOW);
  assert.equal(kept, `${file}.damaged-20261123T091407123Z`);
  for (const suffix of ['', '-wal', '-shm']) {
    assert.equal(existsSync(file + suffix), false);
    assert.equal(readFileSync(kept + suffix, 'utf8'), `content${suffix}`);
  }
});

it('setAside overwrites nothing that was set aside before', () => {
  const file = placeFor('again');
  const names = [1, 2, 3].map((n) => {
    writeFileSync(file, `${n}`);
    return setAside(file, NOW);
  });
  assert.deepEqual(
    names.map((name) => readFileSync(name, 'utf8')),
    ['1', '2', '3'],
  );
});
