import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Heartbeats } from '#chain';
import { SignerRegister } from '#config';
import { run } from '#testkit';
import { rowOf } from '../../../cli/fleet/hosts.ts';
import { heartbeat, NOW_MS, SIGNERS, stored } from '../chain/signers.ts';

const root = mkdtempSync(join(tmpdir(), 'warden-hosts-'));
after(() => rmSync(root, { recursive: true }));

test('the state of a host: by its last word, its age, and whether it is believed', () => {
  const register = new SignerRegister(root);
  const key = Buffer.alloc(32, 5).toString('base64');
  for (const host of ['web-1', 'web-2', 'web-3']) register.enroll(host, key, 0);
  register.revoke('web-3', NOW_MS);
  const heartbeats = new Heartbeats(SIGNERS);
  heartbeats.add(stored('Heartbeat', heartbeat()));
  const stateOf = (host: string, ageMs: number) => {
    const bounds = { nowMs: NOW_MS + ageMs, silentMs: 60_000 };
    return rowOf(host, heartbeats.last, register, bounds).state;
  };
  assert.equal(stateOf('web-1', 60_000), 'running');
  assert.equal(stateOf('web-1', 60_001), 'silent');
  assert.equal(stateOf('web-2', 0), 'never');
  assert.equal(stateOf('web-3', 1), 'revoked');
  heartbeats.add(stored('Heartbeat', heartbeat({ madeMs: NOW_MS + 1, state: 'stopped' })));
  assert.equal(stateOf('web-1', 600_000), 'stopped');
  const row = rowOf('web-1', heartbeats.last, register, { nowMs: NOW_MS + 5001, silentMs: 1 });
  assert.deepEqual([row.age_ms, row.lost, row.revision, row.mode], [5000, 2, 7, 'lsm']);
});

test('what is wrong is said: a bound that is none, and nobody who signs', async () => {
  const list = (...args: string[]) => run('./warden', ['host', 'list', ...args]);
  const on = ['--kafka', '127.0.0.1:1'];
  const bad = await list(...on, '--state', root, '--silent', '0');
  assert.deepEqual([bad.code, /--silent "0": expected seconds, 1 to/.test(bad.stderr)], [64, true]);
  const nobody = await list(...on, '--state', mkdtempSync(join(root, 'none-')));
  assert.equal(nobody.code, 78);
  assert.match(nobody.stderr, /no signers\.json, or nobody in it: bring it from where hosts are/);
});
