import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CliError, EXIT } from '../../../cli/shared/exit.ts';
import { isThere } from '../../../cli/shared/open.ts';

const NOBODY = 65_534;

test('a file in a directory that is closed to us is not called missing', (t) => {
  const closed = mkdtempSync(join(tmpdir(), 'warden-open-'));
  const file = join(closed, 'log.db');
  t.after(() => rmSync(closed, { recursive: true }));
  assert.equal(isThere(file), false);
  writeFileSync(file, '');
  assert.equal(isThere(file), true);
  assert.equal(isThere(join(file, 'below')), false);
  process.seteuid?.(NOBODY);
  try {
    const isRefused = (error: unknown) =>
      error instanceof CliError && error.exitCode === EXIT.noPermission;
    assert.throws(() => isThere(file), isRefused);
  } finally {
    process.seteuid?.(0);
  }
});
