import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import test from 'node:test';
import { runGuest } from './index.ts';

/** A release as setup/release.ts makes it, in the guest at /release; and `inside/sealed.ts`. */
const ROOT = resolve(import.meta.dirname, '../../..');

/** All but Node, which the guest has: the same file. */
function release(): Record<string, Uint8Array> {
  const into = mkdtempSync(join(tmpdir(), 'warden-release-'));
  try {
    execFileSync(process.execPath, [join(ROOT, 'setup/release.ts'), into]);
    const files = readdirSync(into, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'node')
      .map((entry) => join(entry.parentPath, entry.name));
    return Object.fromEntries(
      files.map((file) => [`/release/${relative(into, file)}`, readFileSync(file)]),
    );
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
}

test('6.12: a sealed guard', async () => {
  const { status, stdout, seconds } = await runGuest({
    kernel: '6.12',
    command: 'cp /usr/bin/node /release/ && setup/node test/kernel/guest/inside/sealed.ts 2>&1',
    files: release(),
    timeoutSeconds: 1100,
    memoryMiB: 3072,
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^ℹ pass 11/m);
  console.log(`# sealed: ${seconds.toFixed(0)} s`);
});
