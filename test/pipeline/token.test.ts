import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { run } from '#testkit';
import { bootPolicy } from '../../cli/policy/boot.ts';
import { makeSealedToken } from '../../cli/shared/token.ts';

const MAIN = resolve(import.meta.dirname, '../../cli/main.ts');
const { privateKey, publicKey } = generateKeyPairSync('ed25519');

/** A signed text without its last line, and whether that is its signature. */
function opened(text: string): { body: string; good: boolean } {
  const [, body = '', hex = ''] = /^(.*\n)signature ([0-9a-f]{128})\n$/s.exec(text) ?? [];
  return { body, good: verify(null, Buffer.from(body), publicKey, Buffer.from(hex, 'hex')) };
}

test('a token of a sealed guard names one action, what it is for, and is signed', () => {
  const request = {
    ...({ action: 'apply', sha256: 'ab'.repeat(32), host: 'web-1', boot: '*' } as const),
    ...{ notBeforeMs: 1, notAfterMs: 2, operator: 'carol', reason: 'CHG-7' },
  } as const;
  const { body, good } = opened(makeSealedToken(request, privateKey));
  assert.ok(good);
  const lines = body.trimEnd().split('\n');
  const words = lines.map((line) => line.split(' ')[0]);
  const wanted = 'warden-token action host boot not_before not_after nonce operator reason sha256';
  assert.equal(words.join(' '), wanted);
  assert.ok(lines.includes('action apply') && lines.includes(`sha256 ${'ab'.repeat(32)}`));
});

test('one line a field: nothing can be smuggled in', () => {
  const request = {
    ...({ action: 'unseal', sha256: '0'.repeat(64), host: '*', boot: '*' } as const),
    ...{ notBeforeMs: 1, notAfterMs: 2, operator: 'carol', reason: 'a\nhost *' },
  } as const;
  assert.throws(() => makeSealedToken(request, privateKey), /reason .*one line/);
});

test('the verb signs the SHA-256 of the file, and takes none where it means nothing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'warden-token-'));
  try {
    const key = join(dir, 'key.pem');
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const who = ['--sign', key, '--operator', 'carol', '--host', 'web-1', '--reason', 'why'];
    const say = (...args: string[]) => run(process.execPath, [MAIN, 'token', ...args, ...who]);
    const upgrade = await say('upgrade', '--file', MAIN);
    const digest = createHash('sha256').update(readFileSync(MAIN)).digest('hex');
    assert.match(upgrade.stdout, new RegExp(`^sha256 ${digest}$`, 'm'), upgrade.stderr);
    const codes = [
      await say('unload', '--file', MAIN),
      await say('apply'),
      await say('raise', '--raise', 'pin tier=9'),
      await say('nothing'),
    ].map(({ code }) => code);
    assert.deepEqual(codes, [64, 64, 64, 64]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a boot policy is signed with its revision in front', () => {
  const text = bootPolicy('warden-policy 4\nend\n', { revision: 7, operator: 'carol' }, privateKey);
  const { body, good } = opened(text);
  assert.ok(good);
  assert.equal(body, 'warden-boot 1\nrevision 7\noperator carol\nwarden-policy 4\nend\n');
  for (const revision of [0, 2 ** 32, 1.5, Number.NaN]) {
    assert.throws(() => bootPolicy('', { revision, operator: 'carol' }, privateKey), /--revision/);
  }
});
