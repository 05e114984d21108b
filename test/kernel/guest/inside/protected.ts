import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { run, type SeenEvent, waitFor } from '#testkit';
import { kprobe, loadAs } from './loading.ts';
import { LOGIN, NARROW } from './policy.ts';
import { find, type Scene, SLOW_MS, tiers, WORKLOADS } from './support.ts';

/** People whom no other part knows. */
const EVE = 10060;
const MALLORY = 10061;

const ENOENT = 2;
const EPERM = 1;

interface Reached {
  readonly pid: number;
  /** Errno by what was tried; 0: it worked. */
  readonly errnos: Readonly<Record<string, number>>;
}

/** Runs `reach` after a login; `pid` is of the process that tries. */
async function reach(scene: Scene, auid: number, program: string): Promise<Reached> {
  const [victim = 0] = scene.warden.servicePids();
  const ran = await run(LOGIN, [`${auid}`, program, scene.at.run, `${victim}`]);
  const lines = ran.stdout.split('\n').filter((line) => line.startsWith('{'));
  const tried = lines.map((line) => JSON.parse(line) as { try: string; errno: number });
  assert.ok(tried.length > 20, `${ran.stdout}${ran.stderr}`);
  return { pid: ran.pid, errnos: Object.fromEntries(tried.map((one) => [one.try, one.errno])) };
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
}

/** What reach tries, and the act that it is recorded as. */
const TAMPERING: readonly (readonly [string, string])[] = [
  ['obj_get config', 'OBJ_GET'],
  ['obj_get subjects', 'OBJ_GET'],
  ['open iterator', 'PIN_OPEN'],
  ['unlink', 'PIN_UNLINK'],
  ['rename', 'PIN_RENAME'],
  ['mkdir', 'PIN_MAKE'],
  ['umount', 'UMOUNT'],
  ['umount ancestor', 'UMOUNT'],
  ['umount peer', 'UMOUNT'],
  ['rmdir of the mount point', 'UMOUNT'],
  ['ftrace_enabled', 'SYSCTL'],
  ['ptrace', 'PTRACE'],
  ['mem', 'PTRACE'],
  ['pidfd_getfd', 'PTRACE'],
];

/** Root without a role of ours: refused each time, recorded, and nobody to be trusted any more. */
export async function unreached(scene: Scene): Promise<void> {
  const { errnos } = await reach(scene, MALLORY, `${WORKLOADS}/reach`);
  assert.equal(errnos['map by id'], ENOENT, 'not there for who lists all');
  for (const [name, command] of TAMPERING) {
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
