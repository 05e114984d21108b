import assert from 'node:assert/strict';
import { createPrivateKey, sign, verify } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, newSigningKey, openSigningKey, SignerRegister } from '#config';
import { run } from '#testkit';

const root = mkdtempSync(join(tmpdir(), 'warden-signers-'));
after(() => rmSync(root, { recursive: true }));
const fresh = () => mkdtempSync(join(root, 'one-'));
const DAY_MS = 24 * 3_600_000;
const TEXT = Buffer.from('text');

/** Which of some keys count for a host then, by their place in the list. */
function valid(at: string, keys: readonly { pem: string }[], appendedMs: number): number[] {
  const found = new SignerRegister(at).validAt('web-1', appendedMs);
  return keys.flatMap(({ pem }, n) => {
    const signature = sign(null, TEXT, createPrivateKey(pem));
    return found.some((key) => verify(null, TEXT, key, signature)) ? [n] : [];
  });
}

test('enrolled, enrolled anew, revoked: which key counts for what the brokers took then', () => {
  const at = fresh();
  const keys = [newSigningKey(), newSigningKey(), newSigningKey()];
  const [first, second, third] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
  assert.deepEqual(new SignerRegister(at).hosts, []);
  new SignerRegister(at).enroll('web-1', first.key, 1000);
  assert.deepEqual(valid(at, keys, 2000), [0]);
  new SignerRegister(at).enroll('web-1', second.key, 1000);
  assert.deepEqual(valid(at, keys, 1000 + 7 * DAY_MS - 1), [0, 1]);
  assert.deepEqual(valid(at, keys, 1000 + 7 * DAY_MS), [1]);
  new SignerRegister(at).revoke('web-1', 5000);
  assert.deepEqual(valid(at, keys, 4999), [0, 1], 'what it said before stands');
  assert.deepEqual(valid(at, keys, 5000), []);
  new SignerRegister(at).enroll('web-1', third.key, 6000);
  assert.deepEqual(valid(at, keys, 6000), [2]);
  assert.deepEqual(new SignerRegister(at).validAt('web-2', 6000), []);
  assert.doesNotMatch(readFileSync(join(at, 'signers.json'), 'utf8'), /PRIVATE/);
});

test('keys whose records are gone are forgotten, and the list is bounded', () => {
  const at = fresh();
  const { key } = newSigningKey();
  for (let n = 0; n < 64; n++) new SignerRegister(at).enroll('web-1', key, n);
  const enroll = (nowMs: number) => new SignerRegister(at).enroll('web-1', key, nowMs);
  assert.throws(() => enroll(100), /web-1: 64 signing keys in 52 days: wait with the next/);
  enroll(53 * DAY_MS);
  const { hosts } = JSON.parse(readFileSync(join(at, 'signers.json'), 'utf8'));
  assert.equal(hosts['web-1'].length, 2);
});

test('records are verified under an ended key for as long as they stay', () => {
  const at = fresh();
  const keys = [newSigningKey(), newSigningKey(), newSigningKey()];
  for (const [n, { key }] of keys.entries()) {
    new SignerRegister(at).enroll('web-1', key, 38 * DAY_MS * n);
  }
  assert.deepEqual(valid(at, keys, 6 * DAY_MS), [0, 1, 2], 'taken in before its end');
});

test('those that enroll at once all stay', async () => {
  const at = fresh();
  const work = `
    import { newSigningKey, SignerRegister } from '#config';
    const register = new SignerRegister(process.argv[1]);
    for (let n = 0; n < 20; n++) {
      register.enroll(process.argv[2] + '-' + n, newSigningKey().key, Date.now());
    }`;
  const one = (name: string) =>
    run(process.execPath, ['--input-type=module', '-e', work, at, name]);
  const all = await Promise.all(['a', 'b', 'c'].map(one));
  for (const { code, stderr } of all) assert.equal(code, 0, stderr);
  assert.equal(new SignerRegister(at).hosts.length, 60);
  assert.equal(existsSync(join(at, 'signers.json.new')), false);
});

test('what was read before another wrote is not written over', () => {
  const at = fresh();
  const [early, late] = [new SignerRegister(at), new SignerRegister(at)];
  late.enroll('web-1', newSigningKey().key, 1);
  early.enroll('web-2', newSigningKey().key, 2);
  assert.deepEqual(new SignerRegister(at).hosts, ['web-1', 'web-2']);
  assert.equal(early.liveKey('web-3'), null);
});

test('a register that is none is refused by name', () => {
  const bad = ['{', '{"schema":"other"}', '{"schema":"warden.signers/1","hosts":{"a":[]}}'];
  bad.push('{"schema":"warden.signers/1","hosts":{"a":[{"key":"AA==","untilMs":null}]}}');
  for (const text of bad) {
    const at = fresh();
    writeFileSync(join(at, 'signers.json'), text);
    assert.throws(
      () => new SignerRegister(at),
      (error) => error instanceof ConfigError && error.message.includes('signers.json: '),
    );
  }
});

test("a host's own signing key: none, one, or something else", () => {
  const at = fresh();
  assert.equal(openSigningKey(at), null);
  writeFileSync(join(at, 'sign.key'), newSigningKey().pem);
  assert.equal(openSigningKey(at)?.asymmetricKeyType, 'ed25519');
  writeFileSync(join(at, 'sign.key'), 'nonsense');
  assert.throws(() => openSigningKey(at), /sign\.key: .*expected an Ed25519 key: write it again/);
  const linked = fresh();
  symlinkSync('/etc/passwd', join(linked, 'sign.key'));
  assert.throws(() => openSigningKey(linked), /not a key in PEM/);
  const directory = fresh();
  mkdirSync(join(directory, 'sign.key'));
  assert.throws(() => openSigningKey(directory), ConfigError);
});
