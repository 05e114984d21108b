import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { genesis, sealFrames } from '#chain';
import { openFleetKeys, SignerRegister } from '#config';
import { encode, hostName, incarnation, lane, laneOf } from '#event';
import { createLogger } from '#telemetry';
import { run } from '#testkit';
import { hostKeys } from '../../../cli/fleet/host-keys.ts';
import { openRecord } from '../../../packages/fold/records.ts';
import { eventOf, QUIET } from '../../pipeline/live-fold.ts';

const root = mkdtempSync(join(tmpdir(), 'warden-host-'));
after(() => rmSync(root, { recursive: true }));
const stateDir = join(root, 'fleet');
const HOST = hostName('web-1');
const DAY_MS = 24 * 3_600_000;

async function host(...args: string[]) {
  const ran = await run('./warden', ['host', ...args, '--state', stateDir]);
  return { code: ran.code, said: `${ran.stdout}${ran.stderr}` };
}

/** A frame under a key, as the log took it in then; what the fold makes of it. */
function opened(key: Uint8Array, appendedMs: number): string {
  const event = eventOf(QUIET, Date.now());
  const n = laneOf(event.principal);
  const chain = { host: HOST, incarnation: incarnation('00000000000000aa'), lane: lane(n) };
  const events = [encode('Event', event)];
  const { frames } = sealFrames({ ...chain, first: 0, previous: genesis(chain), events, key });
  const { fleet, control } = openFleetKeys(stateDir, { create: false });
  const logger = createLogger({ level: 'silent', name: 'test' });
  const keys = { ...hostKeys({ stateDir, fleet, logger }, () => Date.now()), control };
  const value = frames[0] as Buffer;
  const record = openRecord({ offset: 0, lane: n, key: '', value, appendedMs }, keys);
  return record.kind === 'bad' ? record.code : record.kind;
}

test('enroll, rotate, revoke, enroll: which frames are believed, and what is said', async () => {
  const key = async (verb: string, name: string) => {
    const done = await host(verb, 'web-1', '--out', join(root, name));
    assert.equal(done.code, 0, done.said);
    return readFileSync(join(root, name, 'host.key'));
  };
  const first = await key('enroll', 'first');
  assert.equal(opened(first, Date.now()), 'frame');
  const second = await key('rotate', 'second');
  assert.notDeepEqual(second, first);
  const again = await host('rotate', 'web-1', '--out', join(root, 'second'));
  assert.equal(again.code, 73);
  assert.match(again.said, /host\.key: there is one already: name another --out/);
  assert.equal(opened(first, Date.now()), 'frame', 'what the host still had in its log');
  assert.equal(opened(first, Date.now() + 31 * DAY_MS), 'BAD_MAC');
  assert.equal(opened(second, Date.now() + 31 * DAY_MS), 'frame');
  const beforeMs = Date.now() - 1;
  const revoked = await host('revoke', 'web-1', '--json');
  assert.equal(revoked.code, 0);
  const { schema, verb, generation, next } = JSON.parse(revoked.said);
  assert.deepEqual([schema, verb, generation], ['warden.host/1', 'revoke', null]);
  assert.match(next[0], /hosts\.json: give it to every enricher/);
  for (const old of [first, second]) {
    assert.equal(opened(old, Date.now() + 1), 'UNKNOWN_HOST_KEY');
    assert.equal(opened(old, beforeMs), 'frame', 'what it said before stands');
  }
  const refused = await host('rotate', 'web-1', '--out', join(root, 'third'));
  assert.deepEqual([refused.code, /enroll it again/.test(refused.said)], [78, true]);
  const third = await key('enroll', 'third');
  assert.equal(opened(third, Date.now() + 1), 'frame');
  assert.equal(opened(second, Date.now() + 1), 'BAD_MAC');
});

test('the key that a host signs with: made, kept, rotated, revoked', async () => {
  const made = async (verb: string, name: string, ...more: string[]) => {
    const done = await host(verb, 'web-2', '--out', join(root, name), ...more);
    assert.equal(done.code, 0, done.said);
    const file = join(root, name, 'sign.key');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    return createPublicKey(createPrivateKey(readFileSync(file))).export({ format: 'jwk' }).x;
  };
  const valid = (appendedMs: number) => {
    const found = new SignerRegister(stateDir).validAt('web-2', appendedMs);
    return found.map((key) => key.export({ format: 'jwk' }).x);
  };
  const first = await made('enroll', 'a');
  assert.deepEqual(valid(Date.now()), [first]);
  assert.equal(await made('enroll', 'a', '--keep'), first, 'kept');
  // A host that was enrolled before there was such a key.
  rmSync(join(root, 'a', 'sign.key'));
  const key = readFileSync(join(root, 'a', 'host.key'));
  const again = await made('enroll', 'a', '--keep');
  assert.deepEqual(readFileSync(join(root, 'a', 'host.key')), key);
  const second = await made('rotate', 'b');
  assert.deepEqual(valid(Date.now()), [second, again, first]);
  assert.deepEqual(valid(Date.now() + 31 * DAY_MS), [second]);
  const revoked = await host('revoke', 'web-2');
  assert.match(revoked.said, /signers\.json: give it to whoever verifies or watches/);
  assert.deepEqual(valid(Date.now() + 1), []);
});
