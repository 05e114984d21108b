import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import test from 'node:test';
import { CLOCKS_APART_MS, Heartbeats } from '#chain';
import { heartbeat, KEYS, NOW_MS, SIGNERS, stored } from './signers.ts';

const beat = (madeMs: number, more = {}) => stored('Heartbeat', heartbeat({ madeMs, ...more }));

test('the last heartbeat of a host counts', () => {
  const heartbeats = new Heartbeats(SIGNERS);
  assert.equal(heartbeats.add(beat(NOW_MS)), null);
  assert.equal(heartbeats.add(beat(NOW_MS + 15_000, { mode: 'audit' })), null);
  assert.equal(heartbeats.add(beat(NOW_MS, { host: 'web-2' })), null);
  const { heartbeat: found, appendedMs } = heartbeats.last.get('web-1') ?? {};
  assert.deepEqual([found?.mode, appendedMs], ['audit', NOW_MS + 15_000]);
  assert.equal(heartbeats.last.size, 2);
});

test('a heartbeat that was kept and is sent again does not make a host alive', () => {
  const heartbeats = new Heartbeats(SIGNERS);
  const old = beat(NOW_MS);
  heartbeats.add(old);
  heartbeats.add(beat(NOW_MS + 15_000));
  const again = heartbeats.add({ ...old, offset: 2, appendedMs: NOW_MS + 30_000 });
  assert.deepEqual([again?.code, again?.offset], ['REPLAYED', 2]);
  const last = { ...beat(NOW_MS + 15_000), appendedMs: NOW_MS + 30_000 };
  assert.equal(heartbeats.add(last)?.code, 'REPLAYED');
  assert.equal(heartbeats.last.get('web-1')?.appendedMs, NOW_MS + 15_000);
});

test('so does not one whose first sending compaction has removed', () => {
  const heartbeats = new Heartbeats(SIGNERS);
  const late = beat(NOW_MS);
  const within = { ...late, appendedMs: NOW_MS + CLOCKS_APART_MS };
  assert.equal(new Heartbeats(SIGNERS).add(within), null);
  const found = heartbeats.add({ ...late, appendedMs: NOW_MS + CLOCKS_APART_MS + 1 });
  assert.equal(found?.code, 'REPLAYED');
  assert.match(found?.detail ?? '', /web-1: made 120 s before the brokers took it/);
  const early = heartbeats.add({ ...late, appendedMs: NOW_MS - CLOCKS_APART_MS - 1 });
  assert.match(early?.detail ?? '', /made 120 s after .*: sent again, or a wrong clock/);
  assert.equal(heartbeats.last.size, 0);
});

test('a host cannot speak for another', () => {
  const heartbeats = new Heartbeats(SIGNERS);
  const forged = stored('Heartbeat', heartbeat({ state: 'stopped' }), { by: 'web-2' });
  const found = heartbeats.add(forged);
  assert.deepEqual([found?.code, found?.key], ['WRONG_HOST', 'web-1']);
  assert.equal(heartbeats.last.size, 0);
});

test('a flood of forged heartbeats is not looked into for ever, and hides no other', () => {
  let asked = 0;
  const hosts = () => {
    asked += 1;
    return SIGNERS.hosts();
  };
  const heartbeats = new Heartbeats({ ...SIGNERS, hosts });
  const forged = stored('Heartbeat', heartbeat(), { by: 'web-2' });
  const codes = Array.from({ length: 50 }, () => heartbeats.add(forged)?.code);
  assert.deepEqual(new Set(codes), new Set(['WRONG_HOST', 'BAD_SIGNATURE']));
  assert.deepEqual([asked, codes[0], codes.at(-1)], [10, 'WRONG_HOST', 'BAD_SIGNATURE']);
  const other = stored('Heartbeat', heartbeat({ host: 'web-2' }), { by: 'web-1' });
  assert.equal(heartbeats.add(other)?.code, 'WRONG_HOST');
});

test('after a rotation the key before counts until the next one has signed', () => {
  const keys = ['web-2', 'web-1'].map((host) => createPublicKey(KEYS[host] as KeyObject));
  const heartbeats = new Heartbeats({ hosts: () => [], signersOf: () => keys });
  const by = (madeMs: number, key: string) =>
    heartbeats.add(stored('Heartbeat', heartbeat({ madeMs }), { by: key }));
  assert.equal(by(NOW_MS, 'web-1'), null);
  assert.equal(by(NOW_MS + 1, 'web-2'), null);
  const stolen = by(NOW_MS + 2, 'web-1');
  assert.equal(stolen?.code, 'UNKNOWN_SIGNER');
  assert.match(stolen?.detail ?? '', /web-1: by a key that a newer one has replaced/);
  assert.equal(heartbeats.last.get('web-1')?.appendedMs, NOW_MS + 1);
});
