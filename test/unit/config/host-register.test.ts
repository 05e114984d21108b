import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError, HostRegister } from '#config';
import { run } from '#testkit';

const root = mkdtempSync(join(tmpdir(), 'warden-register-'));
after(() => rmSync(root, { recursive: true }));
const fresh = () => mkdtempSync(join(root, 'one-'));
const DAYS_30 = 30 * 24 * 3_600_000;

test('a host that nobody wrote down has its first key', () => {
  const register = new HostRegister(fresh());
  assert.deepEqual(register.validAt('web-1', 5), { newest: 0, older: null });
  assert.equal(register.enroll('web-1'), 0);
});

test('after a rotation the key before opens what comes within 30 days', () => {
  const at = fresh();
  assert.equal(new HostRegister(at).rotate('web-1', 1000), 1);
  const register = new HostRegister(at);
  assert.deepEqual(register.validAt('web-1', 999), { newest: 1, older: 0 });
  assert.deepEqual(register.validAt('web-1', 1000 + DAYS_30 - 1), { newest: 1, older: 0 });
  assert.deepEqual(register.validAt('web-1', 1000 + DAYS_30), { newest: 1, older: null });
  assert.deepEqual(register.validAt('web-2', 1000), { newest: 0, older: null });
  assert.equal(register.enroll('web-1'), 1, 'the same key, for a host that lost its own');
});

test('after a revocation nothing opens, until the host is enrolled again', () => {
  const at = fresh();
  new HostRegister(at).rotate('web-1', 1000);
  new HostRegister(at).revoke('web-1', 2000);
  const register = new HostRegister(at);
  assert.deepEqual(register.validAt('web-1', 1999), { newest: 1, older: 0 });
  assert.deepEqual(register.validAt('web-1', 2000), { newest: null, older: null });
  assert.throws(() => register.rotate('web-1', 3000), /web-1 is revoked: enroll it again/);
  assert.equal(register.enroll('web-1'), 2);
  assert.deepEqual(register.validAt('web-1', 4000), { newest: 2, older: null });
});

test('what was read before another wrote is not written over', () => {
  const at = fresh();
  const [early, late] = [new HostRegister(at), new HostRegister(at)];
  late.revoke('web-1', 1);
  early.rotate('web-2', 2);
  const register = new HostRegister(at);
  assert.deepEqual(register.validAt('web-1', 3), { newest: null, older: null });
  assert.deepEqual(register.validAt('web-2', 3), { newest: 1, older: 0 });
  assert.throws(() => early.rotate('web-1', 4), /web-1 is revoked/);
  assert.equal(existsSync(join(at, 'hosts.json.new')), false);
});

test('a change of the file is seen; a file that is none is refused by name', () => {
  const at = fresh();
  const register = new HostRegister(at);
  new HostRegister(at).revoke('web-1', 0);
  register.refresh(10_000);
  assert.equal(register.validAt('web-1', 1).newest, null);
  for (const text of ['{', '{"schema":"other"}', '{"schema":"warden.hosts/1","hosts":{"a":[]}}']) {
    const bad = fresh();
    writeFileSync(join(bad, 'hosts.json'), text);
    assert.throws(
      () => new HostRegister(bad),
      (error) => error instanceof ConfigError && error.message.includes('hosts.json: '),
    );
  }
});

test('a revocation is seen also where the clock was set back', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_700_000_000_000 });
  const at = fresh();
  const register = new HostRegister(at);
  register.refresh();
  new HostRegister(at).revoke('web-1', 0);
  t.mock.timers.setTime(1_600_000_000_000);
  await sleep(1010);
  register.refresh();
  assert.equal(register.validAt('web-1', 1).newest, null);
});

test('what a writer that was killed left behind keeps nobody from writing', async () => {
  const at = fresh();
  writeFileSync(join(at, 'hosts.json.new'), '{"schema":"wa');
  // Killed while it has the lock.
  const work = `
    import { replaceRegister } from './packages/config/register-file.ts';
    replaceRegister(process.argv[1], { schema: 'none', mode: 0o600 }, () => {
      process.kill(process.pid, 'SIGKILL');
    });`;
  const file = join(at, 'hosts.json');
  const killed = await run(process.execPath, ['--input-type=module', '-e', work, file]);
  assert.notEqual(killed.code, 0);
  const startedMs = performance.now();
  assert.equal(new HostRegister(at).rotate('web-1', 1000), 1);
  assert.ok(performance.now() - startedMs < 5000, 'nobody is waited for');
  assert.deepEqual(new HostRegister(at).validAt('web-1', 1), { newest: 1, older: 0 });
  assert.equal(existsSync(join(at, 'hosts.json.new')), false);
});

test('the lock is not followed to where somebody else has put it', () => {
  const at = fresh();
  symlinkSync(join(at, 'elsewhere'), join(at, 'hosts.json.lock'));
  assert.throws(() => new HostRegister(at).rotate('web-1', 1000), /ELOOP/);
  assert.equal(existsSync(join(at, 'elsewhere')), false);
});
