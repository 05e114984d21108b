import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import test from 'node:test';
import { run, type SeenEvent, waitFor } from '#testkit';
import { find, open, type Scene } from './support.ts';

const FTRACE = '/proc/sys/kernel/ftrace_enabled';
const ROOT = resolve(import.meta.dirname, '../../../..');
/** A look each second: half a second more for the look itself, and as much for a busy machine. */
const WITHIN_MS = 2000;

const said = (state: string, found: RegExp) => (seen: SeenEvent) => {
  const { command, details } = {
    command: seen.event.act.command,
    details: Object.fromEntries(seen.event.details.map(({ key, value }) => [key, value])),
  };
  return command === 'GUARD' && details.state === state && found.test(details.found ?? '');
};

/** The mount that a path is in. */
function mountOf(path: string): string {
  const lines = readFileSync('/proc/self/mounts', 'utf8').trim().split('\n');
  const points = lines.map((line) => line.split(' ')[1] ?? '/');
  const above = points.filter((point) => `${path}/`.startsWith(point === '/' ? '/' : `${point}/`));
  return above.toSorted((a, b) => b.length - a.length)[0] ?? '/';
}

const kernelLog = async (): Promise<string> => (await run('dmesg', [])).stdout;

/** Until the watchdog's file says so. */
async function noticed({ at }: Scene, runs: boolean): Promise<void> {
  const file = join(at.run, 'guard.json');
  const says = () => JSON.parse(readFileSync(file, 'utf8')).runs === runs;
  await waitFor(`guard.json to say runs: ${runs}`, says);
}

/** Writes the sysctl; when that was done, ms since 1970. */
function setFtrace(value: '0' | '1'): number {
  writeFileSync(FTRACE, value);
  return Date.now();
}

/** By the kernel's time of the record: whoever reads it may be late. */
const msAfter = (fromMs: number, { event }: SeenEvent) => event.timeUs / 1000 - fromMs;

/** The one write that stops every trampoline is told by all ways that need none. */
async function watched(scene: Scene): Promise<void> {
  await noticed(scene, true);
  const offMs = setFtrace('0');
  await noticed(scene, false);
  const stopped = await find(scene, 'GUARD stopped', said('stopped', /ftrace_enabled is 0/));
  assert.equal(stopped.event.principal, 'host:guest');
  await scene.warden.says(/guard: does not run: .*ftrace_enabled is 0/);
  assert.match(await kernelLog(), /bpf-warden: guard: does not run/);
  const env = { ...process.env, WARDEN_RUN: scene.at.run, WARDEN_HOST: 'guest' };
  const doctor = await run(join(ROOT, 'warden'), ['doctor', '--json', '--state', scene.at.state], {
    env,
  });
  const { findings } = JSON.parse(doctor.stdout) as { findings: Record<string, string>[] };
  const { grade, text } = findings.find(({ topic }) => topic === 'watchdog') ?? {};
  assert.deepEqual([doctor.code, grade], [1, 'bad']);
  assert.match(text ?? '', /does not run: .*ftrace_enabled is 0/);
  const onMs = setFtrace('1');
  await noticed(scene, true);
  const runs = await find(scene, 'GUARD runs', said('runs', /runs again/));
  await scene.warden.says(/guard: runs again/);
  const [stoppedMs, againMs] = [msAfter(offMs, stopped), msAfter(onMs, runs)];
  console.log(`# noticed after ${stoppedMs.toFixed(0)} ms, its end after ${againMs.toFixed(0)} ms`);
  for (const ms of [stoppedMs, againMs]) assert.ok(ms >= 0 && ms <= WITHIN_MS, `${ms} ms`);
}

const FREEZER = '/sys/fs/cgroup/frozen';

const wrongAt = (file: string) => JSON.parse(readFileSync(file, 'utf8')).wrong.join();

/** Under a policy that observes, as is a mount moved by mount(2) under any. */
async function hidden(scene: Scene): Promise<void> {
  const pins = join(scene.at.run, 'bpf');
  const aside = join(scene.at.state, 'aside');
  const wrong = () => wrongAt(join(scene.at.run, 'guard.json'));
  execFileSync('mount', ['-t', 'bpf', 'other', pins]);
  await waitFor('pins below another bpffs', () => wrong() === 'hidden');
  const { event } = await find(scene, 'MOUNT', ({ event: { act } }) => act.command === 'MOUNT');
  assert.deepEqual([event.verdict.decision, event.verdict.rule], ['would_deny', 'guard.protected']);
  await find(scene, 'GUARD stopped', said('stopped', /not found: services would start/));
  execFileSync('umount', [pins]);
  await waitFor('pins that are seen again', () => wrong() === '');
  mkdirSync(aside);
  execFileSync('mount', ['--make-private', mountOf(dirname(pins))]);
  execFileSync('mount', ['--move', pins, aside]);
  await waitFor('pins that are elsewhere', () => wrong() === 'hidden');
  execFileSync('mount', ['--move', aside, pins]);
  await waitFor('pins that are back', () => wrong() === '');
}

/** Services in a frozen cgroup: the guard goes on, and its monitor says that nobody tells of it. */
async function frozen({ at, warden }: Scene): Promise<void> {
  const wrong = () => wrongAt(join(at.run, 'guard.json'));
  mkdirSync(FREEZER);
  for (const pid of warden.servicePids()) writeFileSync(join(FREEZER, 'cgroup.procs'), `${pid}`);
  writeFileSync(join(FREEZER, 'cgroup.freeze'), '1');
  await waitFor('services that are frozen', () => wrong() === 'frozen');
  writeFileSync(join(FREEZER, 'cgroup.freeze'), '0');
  await waitFor('services that go on', () => wrong() === '');
}

const scene = await open('watchdog', 'version: 1\nmode: observe\n');

test('a guard that does not run is noticed within two seconds', () => watched(scene));
test('pins that are hidden, or moved away, are noticed', () => hidden(scene));
test('services that are frozen are noticed', () => frozen(scene));
test('the end', () => scene.end());
