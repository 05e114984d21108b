import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { run, type SeenEvent, waitFor } from '#testkit';
import {
  find,
  installed,
  open,
  type Scene,
  SLOW_MS,
  tail,
  tiers,
  verb,
  WORKLOADS,
} from './support.ts';

const LOADS = `${WORKLOADS}/loads`;
const LOGIN = `${WORKLOADS}/login`;
const ALICE = '1/10001';
const RESTRICTED = 2;
/** Verdicts come from maps: what it takes is the way to the map and back. */
const WITHIN_MS = 1000;

const agent = installed('loads', 'agent');
const digest = createHash('sha256').update(readFileSync(agent)).digest('hex');
const POLICY = `version: 1
mode: enforce
realms: [{ name: corp, uids: 10000-59999 }]
loaders:
  - { name: play-login, kind: login, match: { path: ${LOGIN} } }
  - { name: agent, match: { path: ${agent}, sha256: "${digest}" } }
`;

/** Loads a kprobe program as somebody who logged in; the errno, or null when it loaded. */
async function loadAs(auid: number | null, ...helpers: number[]): Promise<string | null> {
  const args = ['--type', 'kprobe', '--any', ...helpers.flatMap((id) => ['--helper', `${id}`])];
  const ran =
    auid === null ? await run(agent, args) : await run(LOGIN, [`${auid}`, LOADS, ...args]);
  assert.equal(ran.code, 0, ran.stderr);
  const load = ran.stdout.split('\n').find((line) => line.includes('"PROG_LOAD"')) ?? '{}';
  return JSON.parse(load).errno;
}

const PID_TGID = 14;
const PROBE_WRITE_USER = 36;

const isRefusal = ({ event }: SeenEvent): boolean =>
  event.act.command === 'PROG_LOAD' && event.verdict.decision === 'deny';

async function refusedHelper(scene: Scene): Promise<void> {
  assert.equal(await loadAs(10001, PID_TGID), null, 'harmless: allowed');
  assert.equal(await loadAs(10001, PID_TGID, PROBE_WRITE_USER), 'EPERM');
  const { json } = await find(scene, 'the refusal', isRefusal);
  const printed = (await tail(scene)).find(({ id }) => id === json.id);
  assert.deepEqual(printed, json, 'tail --json prints it');
  const { program, verdict, act, principal, trust } = json;
  assert.equal(principal, 'uid:10001@corp');
  assert.deepEqual(act, { command: 'PROG_LOAD', via: 'bpf', result: -1, errno: 'EPERM', count: 1 });
  const { id, helpers, claimed, sha256 } = program as Record<string, unknown>;
  assert.deepEqual(helpers, ['get_current_pid_tgid', 'probe_write_user']);
  assert.equal(id, null, 'before it exists');
  assert.equal(claimed, false);
  assert.match(String(sha256), /^[0-9a-f]{64}$/);
  assert.deepEqual(verdict, {
    decision: 'deny',
    rule: 'tiers.standard.helpers',
    enforced: true,
    mode: 'lsm',
    by: 'subject',
  });
  assert.deepEqual(trust, { before: 90, after: 50, tier: 'restricted', signals: ['S03'] });
}

async function lowered(scene: Scene): Promise<void> {
  await waitFor('alice in the map', () => tiers(scene)[ALICE] === RESTRICTED, SLOW_MS);
  const told = await find(scene, 'ENFORCED', ({ event }) => event.act.command === 'ENFORCED');
  const said = Object.fromEntries(told.event.details.map(({ key, value }) => [key, value]));
  assert.equal(said.effect, 'enforced');
  assert.equal(said.after, 'restricted');
  assert.ok(Number(said.latency_ms) < WITHIN_MS, `${said.latency_ms} ms`);
  console.log(`# act to map: ${said.latency_ms} ms`);
}

async function onlyAliceIsRefused(): Promise<void> {
  assert.equal(await loadAs(10001, PID_TGID), 'EPERM', 'alice');
  assert.equal(await loadAs(10002, PID_TGID), null, 'bob');
  assert.equal(await loadAs(null, PID_TGID), null, 'a known loader, as root');
}

test('a falling score takes BPF away, from its owner only, and stays', async () => {
  const scene = await open('story', POLICY);
  try {
    await refusedHelper(scene);
    await lowered(scene);
    await onlyAliceIsRefused();
    const rule = ({ event }: SeenEvent) => event.verdict.rule === 'tiers.restricted.program_types';
    const refused = await find(scene, 'the second refusal', rule);
    assert.equal(refused.event.principal, 'uid:10001@corp');

    const explained = await verb(scene, 'explain', 'uid:10001@corp');
    const terms = explained.terms as { micropoints: number }[];
    const sum = terms.reduce((total, { micropoints }) => total + micropoints, 0);
    assert.equal(sum, explained.trust_micropoints);
    assert.equal(explained.tier, 'restricted');

    const before = tiers(scene);
    await scene.warden.killAll();
    await onlyAliceIsRefused();
    assert.deepEqual(tiers(scene), before);
    await scene.again();
    assert.deepEqual(tiers(scene), before);
    await onlyAliceIsRefused();
    await scene.warden.stop();
    const verified = await verb(scene, 'verify');
    assert.equal(verified.ok, true, 'every byte of state is what a replay gives');
  } finally {
    await scene.end();
  }
});
