import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { place, run, type SeenEvent, waitFor } from '#testkit';
import { kprobe, loadAs } from './loading.ts';
import { LOGIN, NARROW } from './policy.ts';
import {
  find,
  type Scene,
  SLOW_MS,
  tiers,
  WARDEN_LOAD,
  WORKLOADS,
  writeCompiled,
} from './support.ts';

/** People whom no other part knows. */
const EVE = 10060;
const MALLORY = 10061;
const TRENT = 10062;

const ENOENT = 2;
const EPERM = 1;

interface Reached {
  readonly pid: number;
  /** Errno by what was tried; 0: it worked. */
  readonly errnos: Readonly<Record<string, number>>;
}

/** Runs `program` after a login; `pid` is of the process that tries. */
async function tries(auid: number, program: string, words: readonly string[]): Promise<Reached> {
  const ran = await run(LOGIN, [`${auid}`, program, ...words]);
  return { pid: ran.pid, errnos: errnosOf(ran) };
}

function errnosOf({ stdout, stderr }: { stdout: string; stderr: string }): Reached['errnos'] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"try"'));
  const tried = lines.map((line) => JSON.parse(line) as { try: string; errno: number });
  assert.ok(tried.length > 14, `${stdout}${stderr}`);
  return Object.fromEntries(tried.map((one) => [one.try, one.errno]));
}

function reach({ warden, at }: Scene, auid: number, program: string): Promise<Reached> {
  const [victim = 0] = warden.servicePids();
  return tries(auid, program, [at.run, `${victim}`]);
}

/** As the kernel takes the name of a kind. */
const FILTERS = [
  'cls_bpf by netlink',
  'cls_bpf by netlink, without a NUL',
  'cls_bpf by netlink, with more behind',
];

const of = (auid: number, command: string, via: string) => (seen: SeenEvent) => {
  const { act, process } = seen.event;
  return process?.auid === auid && act.command === command && act.via === via;
};

const WAYS = [
  ['SO_ATTACH_BPF', 'ATTACH', 'setsockopt', 'SOCKET_FILTER'],
  ['PERF_EVENT_IOC_SET_BPF', 'ATTACH', 'perf_ioctl', 'PERF_EVENT'],
  ['XDP by netlink', 'ATTACH', 'netlink', 'XDP'],
] as const;

/** Each way in is an event with the kernel's own object, and a grant can leave it out. */
export async function outside(scene: Scene): Promise<void> {
  const { errnos } = await reach(scene, EVE, `${WORKLOADS}/reach`);
  for (const [name, command, via, type] of WAYS) {
    assert.equal(errnos[name], 0, name);
    const { event } = await find(scene, name, of(EVE, command, via));
    assert.equal(event.program?.type, type, name);
    assert.ok((event.program?.id ?? 0) > 0, name);
  }
  for (const name of ['SO_ATTACH_FILTER udp', 'SO_ATTACH_FILTER raw', 'SO_ATTACH_FILTER packet']) {
    assert.equal(errnos[name], 0, name);
  }
  for (const name of FILTERS) assert.equal(errnos[name], 0, name);
  await find(scene, 'FILTER', of(EVE, 'FILTER', 'setsockopt'));
  for (const command of ['MAP_MMAP', 'FD_RECEIVE']) {
    const { event } = await find(scene, command, of(EVE, command, 'syscall'));
    assert.deepEqual([event.map?.type, event.verdict.decision], ['ARRAY', 'allow'], command);
  }
  const narrow = await reach(scene, MALLORY, NARROW);
  for (const name of FILTERS) assert.equal(narrow.errnos[name], EPERM, name);
  for (const [name, command, via] of WAYS) {
    assert.equal(narrow.errnos[name], EPERM, name);
    const { event } = await find(scene, `${name}, refused`, of(MALLORY, command, via));
    assert.equal(event.verdict.rule, 'loaders.narrow.commands', name);
    assert.equal(event.act.errno, 'EPERM');
  }
  const [victim = 0] = scene.warden.servicePids();
  const words = ['trace', NARROW, scene.at.run, `${victim}`];
  const traced = await tries(TRENT, `${WORKLOADS}/deceived`, words);
  for (const name of FILTERS) assert.equal(traced.errnos[name], 0, `${name}: not as that loader`);
}

/** What reach tries, and the act that it is recorded as. */
const TAMPERING: readonly (readonly [string, string])[] = [
  ['obj_get config', 'OBJ_GET'],
  ['obj_get subjects', 'OBJ_GET'],
  ['open iterator', 'PIN_OPEN'],
  ['unlink', 'PIN_UNLINK'],
  ['rename', 'PIN_RENAME'],
  ['mkdir', 'PIN_MAKE'],
  ['ftrace_enabled', 'SYSCTL'],
  ['ptrace', 'PTRACE'],
  ['mem', 'PTRACE'],
  ['pidfd_getfd', 'PTRACE'],
];

/** The same for what `mounts` tries. */
const HIDING: readonly (readonly [string, string])[] = [
  ['umount', 'UMOUNT'],
  ['umount ancestor', 'UMOUNT'],
  ['umount peer', 'UMOUNT'],
  ['rmdir of the mount point', 'UMOUNT'],
  ['rename of their directory', 'UMOUNT'],
  ['mount over the pins', 'MOUNT'],
  ['mount over their directory', 'MOUNT'],
  ['mount over an ancestor', 'MOUNT'],
  ['bind over their directory', 'MOUNT'],
  ['move_mount over the pins', 'MOUNT'],
  ['move_mount over their directory', 'MOUNT'],
  ['mount over the pins by a peer', 'MOUNT'],
];
/** What containers, units and administrators do every day. */
const HARMLESS = ['mount in a namespace that hands nothing on', 'private', 'shared', 'remount'];

/** Root without a role of ours: refused each time, recorded, and nobody to be trusted any more. */
export async function unreached(scene: Scene): Promise<void> {
  const reached = await reach(scene, MALLORY, `${WORKLOADS}/reach`);
  const hidden = await tries(MALLORY, `${WORKLOADS}/mounts`, [scene.at.run]);
  const errnos = { ...reached.errnos, ...hidden.errnos };
  assert.equal(errnos['map by id'], ENOENT, 'not there for who lists all');
  for (const name of HARMLESS) assert.equal(errnos[name], 0, name);
  for (const [name, command] of [...TAMPERING, ...HIDING]) {
    assert.ok([EPERM, 13].includes(errnos[name] ?? 0), `${name}: ${errnos[name]}`);
    const via = command === 'OBJ_GET' ? 'bpf' : 'syscall';
    const { event } = await find(scene, command, of(MALLORY, command, via));
    assert.deepEqual(
      [event.verdict.decision, event.verdict.rule, event.act.errno],
      ['deny', 'guard.protected', 'EPERM'],
      name,
    );
  }
  assert.equal(readFileSync('/proc/sys/kernel/ftrace_enabled', 'utf8'), '1\n');
  const fallen = () => tiers(scene)[`auid:${MALLORY}`] === 0;
  await waitFor('who tampers is denied', fallen, SLOW_MS);
  assert.equal(await loadAs(MALLORY, kprobe(14)), 'EPERM', 'and the guard is still there');
}

/** What warden-load starts under another directory runs as our services do, and is none of them. */
export async function elsewhere(scene: Scene): Promise<void> {
  const at = place('elsewhere');
  const policy = join(at.root, 'policy');
  writeCompiled(policy, 'version: 1\nmode: observe\n');
  const [victim = 0] = scene.warden.servicePids();
  const as = ['--mode', 'audit', '--user', 'bpf-warden', '--app', WORKLOADS, '--state', at.state];
  const command = ['--', './reach', scene.at.run, `${victim}`];
  const words = ['run', '--dir', at.run, '--policy', policy, ...as, ...command];
  const ran = await run(WARDEN_LOAD, words);
  at.remove();
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(errnosOf(ran).ptrace, EPERM);
  const traced = ({ event: { act, process } }: SeenEvent) =>
    act.command === 'PTRACE' && process?.auid === null && process.comm === 'reach';
  const { event } = await find(scene, 'PTRACE', traced);
  assert.deepEqual([event.verdict.decision, event.verdict.rule], ['deny', 'guard.protected']);
}
