import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { KPROBE, loadAs, loads, SOCKET_FILTER } from './loading.ts';
import { eventsOf, find, installed, open } from './support.ts';

/** A kernel that does not ask BPF LSM: the guard on the functions that ask the others. */
const KNOWN = installed('loads', 'known');
const SHA256 = createHash('sha256').update(readFileSync(KNOWN)).digest('hex');
const KTIME_GET_NS = 5;
const POLICY = `version: 1
mode: enforce
signals: { S21: { weight: 0 } }
loaders: [{ name: known, kind: tool, match: { path: ${KNOWN}, sha256: "${SHA256}" }, grant: known }]
grants:
  known: { commands: ["*"], program_types: ["*"], map_types: ["*"] }
  unknown:
    commands: ["*"]
    program_types: ["*", "!KPROBE"]
    map_types: ["*"]
    helpers: ["*", "!ktime_get_ns"]
    kfuncs: ["*", "!bpf_lookup_user_key"]
reflex:
  - { on: kfuncs, tier: restricted, for: 1h }
`;

const scene = await open('fmod-ret', POLICY);
test.after(() => scene.end());

const loadOf = (pid: number) =>
  find(
    scene,
    `the load of ${pid}`,
    ({ event: { act, process } }) => process?.pid === pid && act.command === 'PROG_LOAD',
  );

test('auto takes fmod_ret, and load.json says what that can not', () => {
  const report = JSON.parse(readFileSync(join(scene.at.run, 'load.json'), 'utf8'));
  assert.deepEqual([report.mode, report.canary], ['fmod_ret', true]);
  assert.match(report.limits.join(), /preemption.*no digest.*LD_PRELOAD/s);
  const hooks = (report.hooks as { hook: string }[]).map(({ hook }) => hook);
  assert.ok(hooks.includes('fmod_ret/security_bpf'));
  assert.ok(hooks.includes('fentry/security_bprm_committed_creds'));
  assert.deepEqual(
    hooks.filter((hook) => hook.startsWith('lsm')),
    [],
  );
});

test('what the policy does not grant is refused, by type and by what is called', async () => {
  const { pid, errnos } = await loads(null, ['--type', KPROBE]);
  assert.deepEqual(errnos, ['EPERM']);
  const { event } = await loadOf(pid);
  const { decision, enforced, mode, rule } = event.verdict;
  assert.deepEqual(
    { decision, enforced, mode, errno: event.act.errno },
    { decision: 'deny', enforced: true, mode: 'fmod_ret', errno: 'EPERM' },
  );
  assert.match(rule ?? '', /program_types$/);
  const calls = ['--type', SOCKET_FILTER, '--helpers', `${KTIME_GET_NS}`];
  assert.equal(await loadAs(null, calls), 'EPERM');
});

test('what it grants goes through, with all that was found in it', async () => {
  const { pid, errnos } = await loads(null, ['--type', SOCKET_FILTER]);
  assert.deepEqual(errnos, [null]);
  const { event } = await loadOf(pid);
  assert.deepEqual([event.verdict.decision, event.verdict.mode], ['allow', 'fmod_ret']);
  assert.equal(event.program?.claimed, false);
});

test('a loader is known at exec, by its file alone: no digest is taken', async () => {
  const { pid, errnos } = await loads(null, ['--type', KPROBE], KNOWN);
  assert.deepEqual(errnos, [null]);
  const { event } = await loadOf(pid);
  const { loader, process } = event;
  assert.deepEqual([loader?.name, loader?.sha256, process?.exeLabel], ['known', null, 'exec']);
});

test('a flood of refused loads is one reflex, not as many', async () => {
  const flood = ['--type', SOCKET_FILTER, '--kfunc', 'bpf_lookup_user_key', '--uid', '10060'];
  const { errnos } = await loads(null, [...flood, '--times', '20']);
  assert.deepEqual([...new Set(errnos)], ['EPERM']);
  const { pid } = await loads(null, [...flood, '--times', '1']);
  await loadOf(pid);
  const seen = (await eventsOf(scene)).map(({ event }) => event);
  const by = seen.filter(({ principal }) => principal.startsWith('uid:10060'));
  const isRefusal = ({ act, verdict }: (typeof by)[number]) =>
    act.command === 'PROG_LOAD' && /kfuncs$/.test(verdict.rule ?? '');
  assert.equal(by.filter(isRefusal).length, 21);
  assert.equal(by.filter(({ act }) => act.command === 'REFLEX').length, 1);
});

test('the guard keeps its pins', async () => {
  const pin = join(scene.at.run, 'bpf', 'generation-1', 'guard_bpf');
  assert.throws(() => unlinkSync(pin), { code: 'EPERM' });
  const { event } = await find(
    scene,
    'the try',
    (seen) => seen.event.act.command === 'PIN_UNLINK' && seen.event.act.errno === 'EPERM',
  );
  assert.equal(event.verdict.rule, 'guard.protected');
});
