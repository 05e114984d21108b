import assert from 'node:assert/strict';
import { release } from 'node:os';
import type { SeenEvent } from '#testkit';
import { KPROBE, kprobe, loadAs, loads, SOCKET_FILTER } from './loading.ts';
import { SKELETON, TRUSTED } from './policy.ts';
import { find, type Scene } from './support.ts';

const PROBE_WRITE_USER = 36;
const PRANDOM = 7;
const KTIME_GET_TAI_NS = 208;
const LONG = '100000';
/** Of rax in struct pt_regs. */
const AX = '80';
const WRITER = 10_014;

/** The denied load of this process. */
async function denial(scene: Scene, pid: number): Promise<SeenEvent> {
  return find(
    scene,
    `a denial of ${pid}`,
    ({ event }) => event.process?.pid === pid && event.verdict.decision === 'deny',
  );
}

async function refused(
  scene: Scene,
  auid: number | null,
  args: readonly string[],
  expected: { rule: string; via?: string },
  program?: string,
): Promise<SeenEvent> {
  const { pid, errnos } = await loads(auid, args, program);
  assert.equal(errnos.at(-1), 'EPERM', args.join(' '));
  const seen = await denial(scene, pid);
  assert.equal(seen.event.verdict.rule, expected.rule, args.join(' '));
  assert.equal(seen.event.act.via, expected.via ?? 'bpf');
  assert.equal(seen.event.act.errno, 'EPERM');
  return seen;
}

/** Helpers and kfuncs that the loader's grant leaves out, wherever in the program they stand. */
export async function scanned(scene: Scene): Promise<void> {
  const rule = 'loaders.skeleton.helpers';
  const high = await refused(scene, TRUSTED, kprobe(KTIME_GET_TAI_NS), { rule }, SKELETON);
  assert.deepEqual(high.event.program?.helpers, ['ktime_get_tai_ns']);
  assert.equal(await loadAs(TRUSTED, kprobe(PRANDOM), SKELETON), null, 'another is allowed');

  const behind = [...kprobe(PROBE_WRITE_USER), '--filler', LONG];
  const long = await refused(scene, 10011, behind, { rule: 'tiers.standard.helpers' });
  assert.ok((long.event.program?.instructions ?? 0) > 100_000);
  assert.deepEqual(long.event.program?.helpers, ['probe_write_user']);

  await registers(scene);
  for (const [kfunc, name] of kfuncs()) {
    const args = ['--type', SOCKET_FILTER, '--kfunc', kfunc];
    const found = await refused(
      scene,
      TRUSTED,
      args,
      { rule: 'loaders.skeleton.kfuncs' },
      SKELETON,
    );
    assert.deepEqual(found.event.program?.kfuncs, [name]);
  }
}

/** From 6.18 on the kernel lets a program on a uprobe write registers, by no helper. */
async function registers(scene: Scene): Promise<void> {
  const args = ['--type', KPROBE, '--write-register', AX];
  if (Number(release().split('.')[0]) < 7) {
    assert.equal(await loadAs(WRITER, args), 'EACCES', 'the verifier');
    return;
  }
  const found = await refused(scene, WRITER, args, { rule: 'tiers.standard.helpers' });
  assert.deepEqual(found.event.program?.helpers, ['probe_write_user']);
}

/** One of vmlinux, one of a module. */
function kfuncs(): [string, string][] {
  return [
    ['bpf_lookup_user_key', 'bpf_lookup_user_key'],
    ['bpf_ct_release@nf_conntrack', 'bpf_ct_release'],
  ];
}

/** Ways around: kernel pointers, the old system call, maps of somebody else in each form. */
export async function hidden(scene: Scene): Promise<void> {
  const bad = kprobe(PROBE_WRITE_USER);
  const nested = [...bad, '--via', 'program'];
  const rule = 'loaders.skeleton.helpers';
  await refused(scene, TRUSTED, nested, { rule, via: 'program' }, SKELETON);

  const old = [...bad, '--via', 'int80'];
  await refused(scene, 10012, old, { rule: 'tiers.standard.helpers', via: 'bpf_compat' });

  const foreign = { rule: 'loaders.unknown.objects' };
  for (const [i, form] of ['fd', 'fd_array', 'value'].entries()) {
    const uid = 10040 + i;
    const map = ['--type', SOCKET_FILTER, '--map', form, '--uid', `${uid}`];
    assert.equal(await loadAs(null, map), null, `an own map by ${form}`);
    await refused(scene, null, [...map, '--map-as-root'], foreign);
  }
}

/** Where the kernel has a digest of its own, which an fd by id shows, ours is the same. */
export async function captured(scene: Scene): Promise<void> {
  const map = ['--map', 'value', '--helpers', `${PRANDOM}`, '--filler', '3000', '--reopen'];
  const { pid, errnos } = await loads(10013, ['--type', SOCKET_FILTER, ...map]);
  assert.deepEqual(errnos, [null]);
  const of = (command: string) =>
    find(scene, command, (seen) => {
      const { process, act } = seen.event;
      return process?.pid === pid && act.command === command;
    });
  const ours = (await of('PROG_LOAD')).event.program?.sha256 ?? '';
  assert.match(ours, /^[0-9a-f]{64}$/);
  const theirs = (await of('PROG_GET_FD_BY_ID')).event.program?.sha256 ?? null;
  const hasOwn = Number(release().split('.')[0]) >= 7;
  assert.equal(theirs, hasOwn ? ours : null);
}
