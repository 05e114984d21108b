import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Heartbeats } from '#chain';
import { SignerRegister } from '#config';
import type { Heartbeat } from '#event';
import { run } from '#testkit';
import { readHeartbeats, rowOf } from '../../../cli/fleet/hosts.ts';
import { heartbeat, KEYS, NOW_MS, SIGNERS, stored } from '../chain/signers.ts';

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
    const bounds = { nowMs: NOW_MS + ageMs, silentMs: 60_000, stoppedOk: new Set<string>() };
    return rowOf(host, heartbeats.last, register, bounds).state;
  };
  assert.equal(stateOf('web-1', 60_000), 'running');
  assert.equal(stateOf('web-1', 60_001), 'silent');
  assert.equal(stateOf('web-2', 0), 'never');
  assert.equal(stateOf('web-3', 1), 'revoked');
  heartbeats.add(stored('Heartbeat', heartbeat({ madeMs: NOW_MS + 1, state: 'stopped' })));
  assert.equal(stateOf('web-1', 600_000), 'stopped');
  const bounds = { nowMs: NOW_MS + 5001, silentMs: 1, stoppedOk: new Set<string>() };
  const row = rowOf('web-1', heartbeats.last, register, bounds);
  assert.deepEqual([row.age_ms, row.lost, row.revision, row.mode], [5000, 2, 7, 'lsm']);
});

test('a host is as it should be when it runs with something loaded, or may be without', () => {
  const at = mkdtempSync(join(root, 'ok-'));
  const register = new SignerRegister(at);
  register.enroll('web-1', Buffer.alloc(32, 5).toString('base64'), 0);
  const isOk = (said: Partial<Heartbeat> | null, stoppedOk: string[], ageMs = 0) => {
    const heartbeats = new Heartbeats(SIGNERS);
    if (said !== null) heartbeats.add(stored('Heartbeat', heartbeat(said)));
    const bounds = { nowMs: NOW_MS + ageMs, silentMs: 60_000, stoppedOk: new Set(stoppedOk) };
    return rowOf('web-1', heartbeats.last, register, bounds).ok;
  };
  assert.equal(isOk({}, []), true);
  for (const said of [{ state: 'stopped' }, { mode: 'none' }] as const) {
    assert.equal(isOk(said, []), false, JSON.stringify(said));
    assert.equal(isOk(said, ['web-2']), false);
    assert.equal(isOk(said, ['web-1']), true);
  }
  assert.equal(isOk(null, ['web-1']), false, 'never heard of');
  assert.equal(isOk({}, ['web-1'], 60_001), false, 'silent');
  register.revoke('web-1', NOW_MS);
  assert.equal(isOk({ state: 'stopped' }, []), true, 'revoked');
});

/** A topic with these records, as far as a reader of it asks. */
function topicOf(records: readonly { readonly key: string; readonly value: Uint8Array | null }[]) {
  const all = records.map((record, offset) => ({ appendedMs: NOW_MS, ...record, offset }));
  return {
    start: async () => 0,
    end: async () => all.length,
    readSparse: async (_: unknown, from: number) => ({
      records: all.slice(from),
      next: all.length,
    }),
  } as never;
}

test('of a long topic the last records of each known host are opened, others counted', async () => {
  const register = new SignerRegister(mkdtempSync(join(root, 'long-')));
  for (const host of ['web-1', 'web-2']) {
    const { x = '' } = createPublicKey(KEYS[host] as KeyObject).export({ format: 'jwk' });
    register.enroll(host, Buffer.from(x, 'base64url').toString('base64'), 0);
  }
  const beats = Array.from({ length: 40 }, (_, n) =>
    stored('Heartbeat', heartbeat({ madeMs: NOW_MS + n, revision: n })),
  );
  const garbage = Array.from({ length: 40 }, (_, n) => ({ key: `x-${n}`, value: Buffer.of(n) }));
  const old = { key: 'web-1', value: Buffer.from('garbage'), appendedMs: NOW_MS };
  const other = stored('Heartbeat', heartbeat({ host: 'web-2' }));
  const topic = topicOf([other, old, ...garbage, ...beats]);
  const { heartbeats, findings, unknown } = await readHeartbeats(topic, register);
  assert.deepEqual([findings, unknown], [[], 40]);
  assert.equal(heartbeats.last.get('web-1')?.heartbeat.revision, 39);
  assert.equal(heartbeats.last.get('web-2')?.heartbeat.revision, 7);
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
