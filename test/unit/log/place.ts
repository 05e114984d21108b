import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A file name in a directory of its own, gone when the tests of the file are done. */
export function placeFor(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `warden-${name}-`));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'log.db');
}
