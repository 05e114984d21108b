import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'node:test';
import { descendants, readEvents, waitFor } from '#testkit';
import { makeSealedToken, type SealedRequest } from '../../../../cli/shared/token.ts';
import { HOST, WORKLOADS, writeCompiled } from './support.ts';

/** What a sealed guard refuses without an operator's token; and what its services run from. */
const RELEASE = '/release';
const LOADER = `${RELEASE}/bpf/build/warden-load`;
const OTHER = resolve(WORKLOADS, '../variants/other/warden-load');
const DIR = '/run/warden';
const STATE = '/var/lib/warden';
const DECEIVED = `${WORKLOADS}/deceived`;
const NO_PERMISSION = 77;

const pair = generateKeyPairSync('ed25519');
const key = pair.publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('base64');
const TEXT = (extra: string) => `version: 1
mode: enforce
operators: [{ name: carol, key: "${key}" }]
loaders:
  - { name: login, kind: login, match: { path: /usr/bin/login } }
  - { name: node, kind: tool, match: { path: ${RELEASE}/node } }
${extra}`;

function policy(name: string, extra = ''): string {
  writeFileSync(`/etc/${name}.yaml`, TEXT(extra), { mode: 0o644 });
  const compiled = `/etc/${name}`;
  writeCompiled(compiled, TEXT(extra));
  return compiled;
}

const FIRST = policy('first');
const SECOND = policy('second', 'ceiling: standard\n');
const LOAD = ['load', '--gid', '990', '--mode', 'lsm', '--policy'];
const PIN = 'pin tier=4 for_ms=60000 commands=ffffffffffffffff auid:10001';
const WHO = ['--id', 'a', '--author', 'carol', '--reason', 'b', '--subject', 'auid:10001'];
const RAISE = ['raise', '--kind', 'pin', '--tier', '4', '--for-ms', '60000', ...WHO];
const APPLY = ['apply', '--policy', SECOND, '--source', '/etc/second.yaml'];

const env = { ...process.env, WARDEN_HOST: HOST };
const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');
const ofFile = (path: string) => sha256(readFileSync(path));
const NOTHING = '0'.repeat(64);

function say(args: readonly string[], loader = LOADER) {
  const [verb, ...rest] = args;
  return spawnSync(loader, [verb as string, '--dir', DIR, ...rest], { encoding: 'utf8', env });
}

function refused(args: readonly string[], why: RegExp, loader = LOADER): void {
  const { status, stderr } = say(args, loader);
  assert.equal(status, NO_PERMISSION, `${args.join(' ')}: ${stderr}`);
  assert.match(stderr, why);
}

function done(args: readonly string[], loader = LOADER): void {
  const { status, stderr } = say(args, loader);
  assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
}

let tokens = 0;

/** Options that hand over a token for this. */
function token(action: SealedRequest['action'], sha = NOTHING, but: Partial<SealedRequest> = {}) {
  const file = `/tmp/token-${tokens++}`;
  const nowMs = Date.now();
  const window = { notBeforeMs: nowMs - 60_000, notAfterMs: nowMs + 600_000 };
  const who = { host: HOST, boot: '*', operator: 'carol', reason: 'a test' };
  const request = { action, sha256: sha, ...window, ...who, ...but };
  writeFileSync(file, makeSealedToken(request, pair.privateKey));
  return ['--token', file];
}

function needTokens(): void {
  done([...LOAD, FIRST]);
  done(['seal', '--app', RELEASE]);
  const why = /sealed: needs --token/;
  refused(['unload'], why);
  refused(['unseal'], why);
  refused(RAISE, why);
  refused(APPLY, why);
  refused(['hand-over', '--to', OTHER], why);
  refused([...LOAD, SECOND], /sealed, and not the policy in force/);
  // The same as was loaded, is: a monitor that died comes up again.
  done([...LOAD, FIRST]);
}

/** Neither another directory nor a limit makes it look as if nothing were sealed. */
function disguised(): void {
  mkdirSync('/run/other/bpf', { recursive: true });
  execFileSync('mount', ['--bind', `${DIR}/bpf/generation-1`, '/run/other/bpf']);
  const part = spawnSync(LOADER, ['unload', '--dir', '/run/other'], { encoding: 'utf8', env });
  execFileSync('umount', ['/run/other/bpf']);
  const few = ['-c', 'ulimit -n 12; exec "$@"', 'sh', LOADER, 'unload', '--dir', DIR];
  const poor = spawnSync('sh', few, { encoding: 'utf8', env });
  for (const { status, stderr } of [part, poor]) {
    assert.equal(status, NO_PERMISSION, stderr);
    assert.match(stderr, /may be sealed|token can't be looked at/);
  }
  refused(['unload'], /sealed: needs --token/);
  done([...LOAD, FIRST]);
}

/** Nobody answers for what it asks, traces it, or shows it another time or another directory. */
function deceived(): void {
  const unload = [LOADER, 'unload', '--dir', DIR];
  const ways = [
    ['filter', ...unload],
    ['trace', ...unload],
    ['later', ...unload],
  ];
  for (const words of ways) {
    const { status, stderr } = spawnSync(DECEIVED, words, { encoding: 'utf8', env });
    assert.equal(status, NO_PERMISSION, `${words.join(' ')}: ${stderr}`);
    assert.match(stderr, /may be sealed/);
  }
}

/** It finds no pins when it asks for the seal, and ours when it takes them away. */
function uncovered(): void {
  const script = [
    'mount -t tmpfs cover "$1/bpf"',
    '"$3" hold "$1/request.lock" sleep 6 &',
    'sleep 1; "$2" unload --dir "$1" & unload=$!',
    'sleep 2; umount "$1/bpf"',
    'wait $unload',
  ].join('\n');
  const args = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', DIR, LOADER, DECEIVED];
  const { status, stderr } = spawnSync('unshare', args, { encoding: 'utf8', env });
  assert.notEqual(status, 0, stderr);
  assert.match(stderr, /Operation not permitted/);
  refused(['unload'], /sealed: needs --token/);
  done([...LOAD, FIRST]);
}

/** Our own pins, but for the operators, which are somebody else's. */
function assembled(): void {
  const [place, fake] = ['/run/assembled/bpf', '/sys/fs/bpf/operators'];
  const map = ['type', 'hash', 'key', '32', 'value', '4', 'entries', '8', 'name', 'operators'];
  const mount = (...words: string[]) => execFileSync('mount', words);
  mkdirSync(place, { recursive: true });
  execFileSync('bpftool', ['map', 'create', fake, ...map]);
  mount('--bind', `${DIR}/bpf`, place);
  mount('--make-private', place);
  mount('--bind', fake, `${place}/operators`);
  const args = ['raise', '--dir', '/run/assembled', ...RAISE.slice(1)];
  const { status, stderr } = spawnSync(LOADER, args, { encoding: 'utf8', env });
  execFileSync('umount', ['-l', place]);
  assert.notEqual(status, 0);
  assert.match(stderr, /Operation not permitted/);
  assert.doesNotMatch(stderr, /needs --token/, 'it did not come to that');
}

function wrongTokens(): void {
  refused([...RAISE, ...token('apply', sha256(PIN))], /for another action/);
  refused([...RAISE, ...token('raise', NOTHING)], /for something else/);
  refused([...RAISE, ...token('raise', sha256(PIN), { host: 'web-2' })], /another host/);
  refused([...RAISE, ...token('raise', sha256(PIN), { boot: 'none' })], /another boot/);
  refused([...RAISE, ...token('raise', sha256(PIN), { notAfterMs: 1 })], /not valid any more/);
  refused([...RAISE, ...token('raise', sha256(PIN), { operator: 'eve' })], /no such operator/);
  const [, file = ''] = token('unseal');
  appendFileSync(file, '\n');
  const { status } = say(['unseal', '--token', file]);
  assert.equal(status, 65, 'nothing may follow the signature');
}

function rightTokens(): void {
  const once = token('raise', sha256(PIN));
  done([...RAISE, ...once]);
  refused([...RAISE, ...once], /redeemed before/);
  done(['clear', '--kind', 'pin', ...WHO]);
  done([...APPLY, ...token('apply', ofFile(SECOND))]);
  done([...APPLY.with(2, FIRST), ...token('apply', ofFile(FIRST))]);
}

/** Both ways: to another build and back. Who follows is named by its content. */
function upgrades(): void {
  refused(['hand-over', '--to', OTHER, ...token('upgrade', ofFile(LOADER))], /something else/);
  done(['hand-over', '--to', OTHER, ...token('upgrade', ofFile(OTHER))]);
  refused([...LOAD, FIRST], /needs --token/, OTHER);
  done([...LOAD, FIRST, ...token('upgrade', ofFile(OTHER))], OTHER);
  done(['hand-over', '--to', LOADER, ...token('upgrade', ofFile(LOADER))], OTHER);
  done([...LOAD, FIRST, ...token('upgrade', ofFile(LOADER))]);
}

/** `./warden up` of a release or a checkout; `stderr` grows. */
function up(warden: string) {
  const args = ['up', '--json', '--state', STATE, '--policy', '/etc/first.yaml'];
  const dirty = { NODE_OPTIONS: '--inspect', LD_PRELOAD: '/tmp/none.so', SECRET: 'x' };
  const child = spawn('/usr/bin/env', [...named(dirty), warden, ...args], { env });
  const ran = { child, stderr: '', stdout: '', code: null as number | null };
  child.stdout.on('data', (chunk: Buffer) => {
    ran.stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    ran.stderr += chunk.toString();
  });
  child.on('exit', (code) => {
    ran.code = code;
  });
  return ran;
}

const named = (more: Record<string, string>) =>
  Object.entries(more).map(([name, value]) => `${name}=${value}`);

/** The monitor is started by hand: what its environment does to the launcher is not asked here. */
function monitor(...command: string[]) {
  const dirty = { NODE_OPTIONS: '--inspect', SECRET: 'x', WARDEN_SERVICE: 'standalone' };
  const args = ['run', '--dir', DIR, '--policy', FIRST, '--user', 'bpf-warden'];
  const where = ['--app', RELEASE, '--state', STATE, '--', ...command];
  return spawnSync(LOADER, [...args, ...where], { encoding: 'utf8', env: { ...env, ...dirty } });
}

function otherServices(): void {
  const { status, stderr } = monitor('/bin/sh', '-c', 'id');
  assert.equal(status, NO_PERMISSION);
  assert.match(stderr, /not the command of a release/);
  const started = [`${DIR}/app/node`, '--disable-sigusr1', '--disable-warning=ExperimentalWarning'];
  const inspected = monitor(started[0] as string, '--inspect', `${DIR}/app/cli/main.mjs`, 'up');
  assert.match(inspected.stderr, /not the command of a release/);
  copyFileSync(`${RELEASE}/cli/main.mjs`, '/tmp/main.mjs');
  appendFileSync(`${RELEASE}/cli/main.mjs`, '\n// more\n');
  const changed = monitor(...started, `${DIR}/app/cli/main.mjs`, 'up');
  assert.equal(changed.status, NO_PERMISSION);
  assert.match(changed.stderr, /main\.mjs: is not the file that was released/);
  assert.match(changed.stderr, /not the release that was sealed/);
  copyFileSync('/tmp/main.mjs', `${RELEASE}/cli/main.mjs`);
}

type Running = ReturnType<typeof up>;

async function ownServices(): Promise<void> {
  const ran = up(`${RELEASE}/warden`);
  try {
    await lookAt(ran);
  } catch (error) {
    ran.child.kill('SIGKILL');
    throw new Error(`it said: ${ran.stderr}`, { cause: error });
  }
}

async function lookAt(ran: Running): Promise<void> {
  const began = () => {
    assert.equal(ran.code, null, ran.stderr);
    return ran.stdout.includes('"START"');
  };
  await waitFor('a START event', began, 60_000);
  const [service = 0] = descendants(ran.child.pid ?? 0);
  const environment = readFileSync(`/proc/${service}/environ`, 'utf8').split('\0');
  const names = environment.map((entry) => entry.split('=')[0]).filter((name) => name !== '');
  const kept = names.filter((name) => !/^(WARDEN_\w+|PATH|TERM)$/.test(name as string));
  assert.deepEqual(kept, [], 'a fixed list and no more');
  const started = readFileSync(`/proc/${service}/cmdline`, 'utf8').split('\0');
  assert.equal(started[0], `${DIR}/app/node`);
  assert.ok(started.includes('--disable-sigusr1'));
  assert.doesNotMatch(readFileSync(`/proc/${service}/maps`, 'utf8'), /none\.so/);
  refused(['stop'], /needs --token/);
  const seen = await waitFor('the refusals as events', async () => {
    const events = (await readEvents(`${STATE}/warden.db`)).map(({ event }) => event);
    const mixed = events.find(({ act }) => act.command === 'PIN_OPEN');
    if (mixed === undefined) return null;
    assert.deepEqual([mixed.process?.comm, mixed.verdict.rule], ['warden-load', 'guard.protected']);
    const seals = events.filter(({ act }) => act.command === 'SEAL');
    const texts = seals.map(({ details }) => details.map(({ value }) => value).join(' '));
    return texts.some((text) => /stop: no token/.test(text)) && texts;
  });
  for (const wanted of [
    / sealed$/,
    /unload: no token/,
    /release that was sealed/,
    /another host/,
  ]) {
    assert.ok(
      seen.some((text) => wanted.test(text)),
      `${wanted}: ${seen.join('\n')}`,
    );
  }
  done(['stop', ...token('stop')]);
  done(['raises']);
}

function unseals(): void {
  refused(['unload', ...token('unseal')], /for another action/);
  done(['unload', ...token('unload')]);
  done([...LOAD, FIRST]);
  done(['seal', '--app', RELEASE]);
  done(['unseal', ...token('unseal')]);
  done(['unload']);
}

test('what is sealed needs a token', needTokens);
test('it is sealed wherever one looks from', disguised);
test('others’ pins among ours are refused', assembled);
test('who asks is what was started, and as it was started', deceived);
test('what it takes away is what it was asked for', uncovered);
test('a token for something else is none', wrongTokens);
test('a token lets one thing happen, once', rightTokens);
test('an upgrade and back', upgrades);
test('services are started from the release, and in one way', otherServices);
test('they run, with nothing of their caller', ownServices);
test('the way out', unseals);
