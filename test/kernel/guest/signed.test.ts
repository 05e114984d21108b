import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { runGuest } from './index.ts';

/**
 * `inside/signed.ts` on the kernel that checks signatures, with two keys made for this run, each of
 * which signed the same program.
 */
const SECONDS = 600;
const LAB = resolve(import.meta.dirname, '../../lab');
const SIGNED = ['signatures', 'strangers'].flatMap((by) =>
  ['certificate', 'lab_learn'].map((name) => `${by}/${name}`),
);

function files(): Record<string, Uint8Array> {
  execFileSync('make', ['-s', '-C', LAB], { stdio: ['ignore', 'inherit', 'inherit'] });
  const built = (name: string) => readFileSync(join(LAB, 'build', name));
  return Object.fromEntries([
    ...['lab-keys', 'lab-load'].map((name) => [`/usr/local/bin/${name}`, built(name)]),
    ...SIGNED.map((name) => [`/root/${name}`, built(name)]),
  ]);
}

test('7.2: a grant that names a keyring', async () => {
  const { status, stdout, seconds } = await runGuest({
    kernel: '7.2',
    command: 'setup/node test/kernel/guest/inside/signed.ts 2>&1',
    files: files(),
    timeoutSeconds: SECONDS,
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^ℹ pass [1-9]/m, 'it tested something');
  console.log(`# signed: ${seconds.toFixed(0)} s`);
});
