import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { it } from 'node:test';

const ROOT = resolve(import.meta.dirname, '../..');
const UNAVAILABLE = 69;

it('a release has its own way to the brokers, without the packages of a checkout', () => {
  const root = mkdtempSync(join(tmpdir(), 'warden-release-'));
  try {
    const release = join(root, 'release');
    execFileSync(process.execPath, [join(ROOT, 'setup/release.ts'), release]);
    const env = { WARDEN_KAFKA: '127.0.0.1:1', HOME: root };
    const options = { cwd: root, env, encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(join(release, 'warden'), ['topics', 'plan'], options);
    assert.match(stderr, /UNREACHABLE: kafka/);
    assert.equal(status, UNAVAILABLE);
  } finally {
    rmSync(root, { recursive: true });
  }
});
