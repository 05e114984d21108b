import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deriveHostKey, genesis, sealFrames } from '#chain';
import { HostRegister, openFleetKeys, openFleetKeysToVerify, SignerRegister } from '#config';
import { encode, hostName, incarnation, lane, laneOf } from '#event';
import { createLogger } from '#telemetry';
import { run } from '#testkit';
import { hostKeys } from '../../cli/fleet/host-keys.ts';
import { openByEvery } from '../../cli/fleet/verify.ts';
import { openRecord } from '../../packages/fold/records.ts';
import { eventOf, QUIET } from './live-fold.ts';

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
  const keys = { ...hostKeys({ stateDir, fleet, logger }), control };
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
  for (const _ of [1, 2]) assert.equal(await made('enroll', 'a', '--keep'), first, 'kept');
  assert.deepEqual(valid(Date.now()), [first]);
  const second = await made('rotate', 'b');
  assert.deepEqual(valid(Date.now()), [second, first]);
  assert.deepEqual(valid(Date.now() + 8 * DAY_MS), [second]);
  const revoked = await host('revoke', 'web-2');
  assert.match(revoked.said, /signers\.json: give it to whoever verifies or watches/);
  assert.deepEqual(valid(Date.now() + 1), []);
});

test('a host is not given a second signing key by the way', async () => {
  const enroll = (name: string, more: string[] = []) =>
    host('enroll', 'web-3', '--out', join(root, name), ...more);
  const read = (name: string, file: string) => readFileSync(join(root, name, file));
  assert.equal((await enroll('c')).code, 0);
  const register = readFileSync(join(stateDir, 'signers.json'), 'utf8');
  for (const more of [[], ['--keep']]) {
    const elsewhere = await enroll('d', more);
    assert.equal(elsewhere.code, 78);
    assert.match(elsewhere.said, /web-3 has a signing key, which is not here: .* rotate web-3/);
    assert.ok(!existsSync(join(root, 'd', 'host.key')), 'nothing was written');
  }
  cpSync(join(root, 'a'), join(root, 'e'), { recursive: true });
  const foreign = await enroll('e', ['--keep']);
  assert.match(foreign.said, /sign\.key is not the signing key of web-3/);
  assert.equal(readFileSync(join(stateDir, 'signers.json'), 'utf8'), register);
  // A host that was enrolled before there was such a key, and one that the register has lost.
  const key = read('c', 'host.key');
  const { schema } = JSON.parse(register);
  writeFileSync(join(stateDir, 'signers.json'), JSON.stringify({ schema, hosts: {} }));
  const signing = read('c', 'sign.key');
  assert.equal((await enroll('c', ['--keep'])).code, 0);
  assert.deepEqual([read('c', 'host.key'), read('c', 'sign.key')], [key, signing]);
  assert.notEqual(new SignerRegister(stateDir).liveKey('web-3'), null);
  writeFileSync(join(stateDir, 'signers.json'), JSON.stringify({ schema, hosts: {} }));
  rmSync(join(root, 'c', 'sign.key'));
  assert.equal((await enroll('c', ['--keep'])).code, 0);
  assert.notDeepEqual(read('c', 'sign.key'), signing);
});

test('a rotation that the register of signing keys refuses changes no other register', async () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const signers = new SignerRegister(stateDir);
  for (let n = 0; n < 64; n++) signers.enroll('web-4', key, Date.now());
  const before = existsSync(join(stateDir, 'hosts.json'))
    ? readFileSync(join(stateDir, 'hosts.json'), 'utf8')
    : null;
  const refused = await host('rotate', 'web-4', '--out', join(root, 'f'));
  assert.match(refused.said, /web-4: 64 signing keys in 52 days/);
  assert.equal(refused.code, 78);
  assert.equal(readFileSync(join(stateDir, 'hosts.json'), 'utf8'), before);
  assert.ok(!existsSync(join(root, 'f', 'host.key')));
});

test('two rotations in a week: whoever verifies opens frames under all three keys', () => {
  const at = mkdtempSync(join(root, 'three-'));
  const { fleet } = openFleetKeys(at, { create: true });
  for (const nowMs of [1000, 2000]) new HostRegister(at).rotate(HOST, nowMs);
  const logger = createLogger({ level: 'silent', name: 'test' });
  const { everyKeyOf } = hostKeys({ stateDir: at, fleet, logger });
  const chain = { host: HOST, incarnation: incarnation('00000000000000aa'), lane: lane(1) };
  const sealed = (generation: number) => {
    const key = deriveHostKey(fleet, HOST, generation);
    const events = [Buffer.from('event')];
    const { frames } = sealFrames({ ...chain, first: 0, previous: genesis(chain), events, key });
    return frames[0] as Buffer;
  };
  for (const generation of [0, 1, 2]) {
    const record = { value: sealed(generation), appendedMs: 3000 };
    assert.equal(openByEvery(record, everyKeyOf).host, HOST);
  }
  const late = { value: sealed(0), appendedMs: 1000 + 30 * DAY_MS };
  assert.throws(() => openByEvery(late, everyKeyOf), /BAD_MAC/);
  assert.throws(() => openByEvery(late, () => []), /UNKNOWN_HOST_KEY/);
  assert.throws(() => openByEvery({ ...late, value: sealed(9) }, everyKeyOf), /BAD_MAC/);
  assert.deepEqual(openFleetKeysToVerify(at).fleet, fleet);
  rmSync(join(at, 'control.key'));
  const without = { fleet, control: null };
  assert.deepEqual(openFleetKeysToVerify(at), without, 'without a part in control records');
});
