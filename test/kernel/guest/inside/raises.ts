import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostName } from '#event';
import { compilePolicy, loaderNumber, parsePolicy } from '#policy';
import { run, type SeenEvent, waitFor } from '#testkit';
import { makeToken } from '../../../../cli/shared/token.ts';
import { kprobe, loadAs } from './loading.ts';
import { AGENT, OPERATOR, OPERATOR_KEY, POLICY, SKELETON } from './policy.ts';
import { find, HOST, held, type Scene, SLOW_MS, tiers, verb, WARDEN_LOAD } from './support.ts';

const ALICE = 10001;
const PRINCIPAL = 'uid:10001@corp';
const SUBJECT = `auid:${ALICE}`;
const DENIED = 0;
const RESTRICTED = 2;
/** Nobody whom another part knows. */
const DAVE = 10030;

const PID_TGID = 14;
const PROBE_WRITE_USER = 36;
const KTIME_TAI = 208;
const HARMLESS = kprobe(PID_TGID);
const ALL = (1n << 64n) - 1n;
const MAP_CREATE = 1n;
/** Long enough for a few loads, emulated. */
const GLASS_MS = 24_000;

const why = ['--reason', 'a test', '--ticket', 'SEC-1'];

const saidOf = ({ event }: SeenEvent) =>
  Object.fromEntries(event.details.map(({ key, value }) => [key, value]));

/** The enforcer's report of what an override came to. */
async function reported(scene: Scene, id: string): Promise<Record<string, string>> {
  const seen = await find(scene, `ENFORCED because of ${id}`, ({ event }) =>
    event.details.some(({ key, value }) => key === 'cause' && value === `override/${id}`),
  );
  return saidOf(seen);
}

/** What an operator types reaches the kernel, and is reported back. */
export async function overridden(scene: Scene): Promise<void> {
  await verb(scene, 'pardon', PRINCIPAL, '--now', ...why);
  await waitFor('alice is forgiven', () => tiers(scene)[SUBJECT] === undefined, SLOW_MS);
  assert.equal(await loadAs(ALICE, HARMLESS), null, 'forgiven');
  const { id } = await verb(scene, 'pin', PRINCIPAL, '--tier', 'restricted', ...why);
  await waitFor('alice is pinned', () => tiers(scene)[SUBJECT] === RESTRICTED, SLOW_MS);
  const said = await reported(scene, id);
  assert.deepEqual([said.after, said.effect], ['restricted', 'enforced']);
  assert.ok(Number(said.latency_ms) < SLOW_MS, `${said.latency_ms} ms`);
  console.log(`# typed to map: ${said.latency_ms} ms`);
  assert.equal(await loadAs(ALICE, HARMLESS), 'EPERM', 'pinned');
}

const loader = (scene: Scene, ...args: string[]) =>
  run(WARDEN_LOAD, [args[0] as string, '--dir', scene.at.run, ...args.slice(1)], {
    env: { ...process.env, WARDEN_HOST: HOST },
  });

interface Wanted {
  readonly host?: string;
  readonly commands?: bigint;
  readonly forMs?: number;
  readonly notAfterMs?: number;
  readonly operator?: string;
}

const same = (text: string): string => text;

/** A token for alice, in a file. */
function tokenFile(scene: Scene, wanted: Wanted = {}, edit = same): string {
  const token = makeToken(
    {
      host: wanted.host ?? HOST,
      boot: '*',
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: wanted.notAfterMs ?? Date.now() + 600_000,
      forMs: wanted.forMs ?? GLASS_MS,
      commands: wanted.commands ?? ALL,
      overCeiling: false,
      operator: wanted.operator ?? OPERATOR,
      reason: 'outage, INC-7',
      subjects: [{ kind: 'auid', id: ALICE }],
    },
    OPERATOR_KEY,
  );
  const file = join(scene.at.root, 'token');
  writeFileSync(file, edit(token));
  return file;
}

async function redeem(scene: Scene, file: string): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await loader(scene, 'break-glass', '--token', file);
  return { code: code ?? -1, stderr };
}

async function refusedTokens(scene: Scene): Promise<void> {
  const forged = (text: string) => text.replace(`auid ${ALICE}`, 'auid 10002');
  const rows: readonly [Wanted, (text: string) => string, number, RegExp][] = [
    [{}, forged, 77, /its signature is not the operator's/],
    [{ operator: 'mallory' }, same, 77, /the policy in force has no such operator/],
    [{ host: 'elsewhere' }, same, 77, /it is for another host/],
    [{ notAfterMs: Date.now() - 1 }, same, 77, /it is not valid any more/],
    [{ forMs: 3_600_001 }, same, 64, /lasts 1 ms to 60 minutes/],
    [{}, (text) => text.slice(0, 200), 65, /token:\d+: is not ended/],
    [{}, (text) => `${text}x 1\n`, 65, /nothing may follow the signature/],
  ];
  for (const [wanted, edit, code, message] of rows) {
    const told = await redeem(scene, tokenFile(scene, wanted, edit));
    assert.match(told.stderr, message);
    assert.equal(told.code, code);
  }
  assert.equal(await loadAs(ALICE, HARMLESS), 'EPERM', 'nothing was opened');
}

/** With every service and the monitor killed. */
export async function brokenGlass(scene: Scene): Promise<void> {
  assert.deepEqual(scene.warden.servicePids(), [], 'no service is there');
  await refusedTokens(scene);
  const narrow = await redeem(scene, tokenFile(scene, { commands: MAP_CREATE }));
  assert.deepEqual(narrow, { code: 0, stderr: '' });
  assert.equal(await loadAs(ALICE, HARMLESS), 'EPERM', 'not of the scope');
  const file = tokenFile(scene);
  assert.deepEqual(await redeem(scene, file), { code: 0, stderr: '' });
  assert.equal(await loadAs(ALICE, HARMLESS), null, 'opened');
  const by = await loadAs(ALICE, kprobe(KTIME_TAI), SKELETON);
  assert.equal(by, 'EPERM', "the loader's grant still counts");
  const again = await redeem(scene, file);
  assert.deepEqual([again.code, /redeemed before/.test(again.stderr)], [77, true]);
  const ended = async () => (await loadAs(ALICE, HARMLESS)) === 'EPERM';
  await waitFor('the end of break-glass', ended, GLASS_MS + SLOW_MS);
}

/** Observation, and a pin of an analyst against one that raises. */
export async function observed(scene: Scene): Promise<void> {
  const about = ['--subject', `auid:${ALICE}`, '--id', 'a', '--author', 'b', '--reason', 'c'];
  const observe = ['--kind', 'observe', ...about];
  assert.equal((await loader(scene, 'raise', ...observe, '--for-ms', '600000')).code, 0);
  assert.equal(await loadAs(ALICE, HARMLESS), null, 'observed');
  assert.equal((await loader(scene, 'clear', ...observe)).code, 0);
  const pin = ['--kind', 'pin', ...about];
  const raised = [...pin, '--tier', '4', '--for-ms', '600000'];
  assert.equal((await loader(scene, 'raise', ...raised)).code, 0);
  assert.equal(await loadAs(ALICE, HARMLESS), 'EPERM', 'a lowering pin stands');
  assert.equal((await loader(scene, 'clear', ...pin)).code, 0);
}

/** A pin that raises stands in for what evidence says, as long as it lasts. */
export async function pinnedUp(scene: Scene): Promise<void> {
  assert.equal(await loadAs(DAVE, kprobe(PROBE_WRITE_USER)), 'EPERM');
  await waitFor('dave in the map', () => tiers(scene)[`auid:${DAVE}`] === RESTRICTED, SLOW_MS);
  assert.equal(await loadAs(DAVE, HARMLESS), 'EPERM', 'restricted');
  const about = ['--subject', `auid:${DAVE}`, '--id', 'd', '--author', 'b', '--reason', 'c'];
  const pin = ['--kind', 'pin', '--tier', '3', ...about, '--for-ms', '600000'];
  assert.equal((await loader(scene, 'raise', ...pin)).code, 0);
  assert.equal(await loadAs(DAVE, HARMLESS), null, 'restricted, and pinned to standard');
  assert.equal((await loader(scene, 'clear', '--kind', 'pin', ...about)).code, 0);
  assert.equal(await loadAs(DAVE, HARMLESS), 'EPERM', 'restricted again');
}

/** Services can give nobody anything: they open no map that raises. */
export async function closedToServices(scene: Scene): Promise<void> {
  const { uid, gid } = statSync(scene.at.state);
  assert.notEqual(uid, 0);
  for (const name of ['raises', 'operators', 'nonces']) {
    const path = join(scene.at.run, 'bpf', name);
    const { code, stdout } = await run('bpftool', ['map', 'dump', 'pinned', path], { uid, gid });
    assert.deepEqual([code === 0, stdout], [false, '']);
    const { uid: owner, mode } = statSync(path);
    assert.deepEqual([owner, mode & 0o777], [0, 0o600]);
  }
  const request = ['raise', '--dir', scene.at.run, '--kind', 'observe', '--for-ms', '1'];
  const about = ['--subject', 'uid:1', '--id', 'a', '--author', 'b', '--reason', 'c'];
  assert.equal((await run(WARDEN_LOAD, [...request, ...about], { uid, gid })).code, 77);
}

/** A framed agent keeps its floor, unless an operator pins it. */
export async function floored(scene: Scene): Promise<void> {
  const subject = `loader:${loaderNumber('agent')}`;
  assert.equal(await loadAs(null, kprobe(PROBE_WRITE_USER), AGENT), 'EPERM');
  const { json } = await find(scene, 'the refusal of the agent', ({ event }) => {
    return event.loader?.name === 'agent' && event.verdict.decision === 'deny';
  });
  const { after, tier } = json.trust as { after: number; tier: string };
  assert.deepEqual([after, tier], [50, 'standard'], 'evidence counts, and stops at the floor');
  assert.equal(await loadAs(null, HARMLESS, AGENT), null, 'as before');
  await verb(scene, 'pin', 'agent@guest', '--tier', 'denied', ...why);
  await waitFor('the agent is pinned', () => tiers(scene)[subject] === DENIED, SLOW_MS);
  assert.equal(await loadAs(null, HARMLESS, AGENT), 'EPERM', "an operator's pin does not");
}

/** Another policy and back, on a guard that goes on: the maps are what they were. */
export async function rolledBack(scene: Scene): Promise<void> {
  const apply = async (text: string) => {
    const parsed = parsePolicy(text, 'test');
    assert.ok(parsed.ok);
    const compiled = join(scene.at.root, 'other.compiled');
    writeFileSync(compiled, compilePolicy(parsed.policy, { host: hostName(HOST) }));
    const names = ['--policy', compiled, '--source', scene.policy];
    const { code, stderr } = await loader(scene, 'apply', ...names);
    assert.deepEqual([code, stderr], [0, '']);
  };
  const before = held(scene).in_force;
  await apply('version: 1\nmode: observe\n');
  assert.equal(await loadAs(ALICE, HARMLESS), null, 'the other policy observes');
  assert.notDeepEqual(held(scene).in_force, before);
  await apply(POLICY);
  assert.equal(await loadAs(ALICE, HARMLESS), 'EPERM');
  assert.deepEqual(held(scene).in_force, before);
}

/** What happened while no service was there is in the log, once one is. */
export async function recorded(scene: Scene): Promise<void> {
  const told = (effect: string) => (seen: SeenEvent) =>
    seen.event.act.command === 'OVERRIDE' &&
    saidOf(seen).verb === 'break_glass' &&
    saidOf(seen).effect === effect;
  const given = saidOf(await find(scene, 'break-glass', told('in the kernel')));
  assert.deepEqual(
    [given.author, given.reason, given.for_principal],
    [OPERATOR, 'outage, INC-7', PRINCIPAL],
  );
  const refused = told('refused: the token is not valid here');
  const forged = await find(scene, 'a forged token', (seen) => {
    return refused(seen) && saidOf(seen).reason === "its signature is not the operator's";
  });
  assert.equal(saidOf(forged).author, OPERATOR, 'as it says of itself');
  await find(scene, 'what would have been refused', ({ event }) => {
    return event.principal === PRINCIPAL && event.verdict.decision === 'would_deny';
  });
}
