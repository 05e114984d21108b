import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { resolve } from 'node:path';
import test from 'node:test';
import { StatsMap } from '#bpf';
import type { Event } from '#event';
import { readEvents, run, type Truth, waitFor } from '#testkit';
import { inForce, WORKLOADS } from './support.ts';

/** In a guest that booted with an initramfs of ours (`early.test.ts`); without services so far. */
const DIR = '/run/warden';
const STATE = '/var/lib/warden';
const INSTALLED = '/usr/lib/bpf-warden/warden-load';
const BUILT = resolve(WORKLOADS, '../warden-load');
const OTHER = resolve(WORKLOADS, '../variants/other/warden-load');
const BOOT = '/etc/warden/boot';
const POLICY = `${BOOT}/policy`;
const EARLY = ['load', '--dir', DIR, '--gid', '0', '--boot-policy', POLICY, '--json'];

const read = (path: string): string => readFileSync(path, 'utf8');
const truths = (text: string): Truth[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Truth);

function install(policy = 'policy'): void {
  mkdirSync(BOOT, { recursive: true });
  copyFileSync('/job/boot/operators', `${BOOT}/operators`);
  copyFileSync(`/job/boot/${policy}`, POLICY);
}

function load(...more: string[]) {
  const ran = spawnSync(INSTALLED, [...EARLY, ...more], { encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  return { ...ran, json: JSON.parse(ran.stdout) };
}

/** What the acts of before and after the change of root were, by their own word. */
const acts: Truth[] = [];

/** Whatever passes between its two clocks makes one reading less than it is. */
const bootedMs = () => Date.now() - Number(process.hrtime.bigint() / 1_000_000n);

/** Seconds of the boot at which the guard was in force and proved. */
function loadedAfter(): number {
  const bootMs = Math.max(...Array.from({ length: 20 }, bootedMs));
  return (statSync(`${DIR}/load.json`).mtimeMs - bootMs) / 1000;
}

/** What ran when the initramfs had started udev: from /proc/PID/stat, in hundredths of a second. */
function processes(): { exe: string; pid: number; seconds: number }[] {
  const lines = read('/run/early/processes').trim().split('\n');
  return lines.map((line) => {
    const [exe = '', pid] = line.split(' ');
    const after = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return { exe, pid: Number(pid), seconds: Number(after[19]) / 100 };
  });
}

function wasThereFirst(): void {
  const loaded = loadedAfter();
  const begins = processes();
  const before = begins.filter(({ pid, seconds }) => pid !== 1 && seconds < loaded);
  assert.deepEqual(before, [], `nothing but the first shell began before ${loaded} s`);
  assert.ok(
    begins.some(({ exe }) => /udev/.test(exe)),
    'udev did later',
  );
  const unknown = truths(read('/run/early/unknown'));
  const known = truths(read('/run/early/known'));
  assert.deepEqual([...new Set(unknown.map(({ errno }) => errno))], ['EPERM'], 'refused at once');
  assert.deepEqual([...new Set(known.map(({ errno }) => errno))], [null], 'and who is known not');
  assert.deepEqual([unknown.length, known.length], [3, 3]);
  acts.push(...unknown, ...known);
  const { mode, canary, generation, adopted } = JSON.parse(read(`${DIR}/load.json`));
  assert.deepEqual([mode, canary, generation, adopted], ['lsm', true, 1, false]);
  assert.deepEqual(JSON.parse(read(`${DIR}/before.json`)).before, [], 'nothing was before us');
}

/** Between the change of root and the services: refused, and kept in the rings. */
async function goesOn(): Promise<void> {
  copyFileSync(`${WORKLOADS}/churn`, '/usr/local/bin/later');
  execFileSync('chmod', ['755', '/usr/local/bin/later']);
  const { stdout } = await run('/usr/local/bin/later', ['5']);
  const later = truths(stdout);
  assert.deepEqual([...new Set(later.map(({ errno }) => errno))], ['EPERM']);
  acts.push(...later);
  const refused = spawnSync(BUILT, ['raises', '--dir', DIR], { encoding: 'utf8' });
  assert.notEqual(refused.status, 0, 'another file of the same content is nobody');
  assert.equal(spawnSync(INSTALLED, ['raises', '--dir', DIR]).status, 0, 'the installed one is us');
}

/** The early unit on the real root, as systemd starts it. */
function remembers(): void {
  install();
  assert.equal(load().json.adopted, true);
  assert.equal(read(`${BOOT}/revision`), '5\n');
  assert.equal(read(`${BOOT}/accepted`), read('/job/boot/policy'));
  install('older');
  assert.match(load().stderr, /boot policy is older than the one that was accepted last/);
  assert.equal(read(`${BOOT}/revision`), '5\n');
  install('forged');
  const { stderr } = load();
  assert.match(stderr, /boot policy has a signature that is not its operator's/);
  assert.match(stderr, /accepted: revision 5 is used instead/);
  writeFileSync(`${BOOT}/accepted`, 'x');
  assert.match(load().stderr, /the built-in policy is used, which observes/);
  install();
}

function isUpgraded(): void {
  execFileSync(INSTALLED, ['hand-over', '--dir', DIR, '--to', OTHER]);
  const { stdout, stderr, status } = spawnSync(OTHER, EARLY, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  const { upgraded, generation } = JSON.parse(stdout);
  assert.deepEqual([upgraded, generation], [true, 2], 'an upgrade like any');
  execFileSync(OTHER, ['hand-over', '--dir', DIR, '--to', INSTALLED]);
}

const detail = ({ details }: Event, key: string) =>
  details.find((one) => one.key === key)?.value ?? '';

/** Starts the services, waits for an event, and stops them; all events. */
async function services(wanted: (events: Event[]) => boolean): Promise<Event[]> {
  // The one that the guard knows, where the launcher of this checkout looks for it.
  execFileSync('mount', ['--bind', INSTALLED, BUILT]);
  const args = ['up', '--json', '--keep', '--state', STATE, '--policy', '/job/policy.yaml'];
  const env = { ...process.env, WARDEN_HOST: 'guest' };
  const child = spawn(resolve(WORKLOADS, '../../../warden'), args, { env });
  let stderr = '';
  child.stdout.resume();
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const database = `${STATE}/warden.db`;
  const found = async () => {
    assert.equal(child.exitCode, null, stderr);
    if (!existsSync(database)) return null;
    const seen = await readEvents(database).catch((error) => {
      // It was opened by the services a moment ago, and nothing is in it yet.
      if ((error as { code?: string }).code !== 'CANNOT_OPEN') throw error;
      return [];
    });
    const events = seen.map(({ event }) => event);
    return wanted(events) && events;
  };
  try {
    return await waitFor('the events', found, 90_000);
  } finally {
    // One that has ended by itself tells nobody a second time.
    const ended = child.exitCode === null ? once(child, 'exit') : null;
    child.kill('SIGTERM');
    await ended;
  }
}

async function isFoundLater(): Promise<void> {
  const of = (events: readonly Event[], { pid, command }: Truth) =>
    events.filter((event) => event.process?.pid === pid && event.act.command === command);
  const refusals = (all: readonly Event[]) =>
    all.filter((event) => event.act.command === 'GUARD' && detail(event, 'state') === 'refused');
  const older = (all: readonly Event[]) =>
    refusals(all).filter((event) => /boot policy is older/.test(detail(event, 'found')));
  const events = await services(
    (all) =>
      acts.every((act) => of(all, act).length > 0) &&
      older(all).length > 0 &&
      refusals(all).length > 1,
  );
  for (const act of acts) {
    const [event, more] = of(events, act);
    assert.ok(event !== undefined && more === undefined, `${act.command} of ${act.pid}`);
    assert.equal(event.act.errno, act.errno);
  }
  inForce(INSTALLED, DIR, read('/job/policy.yaml').replace('enforce', 'observe'));
  const stats = new StatsMap(`${DIR}/bpf/stats`);
  const { rings } = stats.read();
  stats.close();
  assert.deepEqual(
    rings.map(({ lost }) => lost),
    [0, 0, 0, 0],
  );
  const told = JSON.stringify(refusals(events).map(({ details }) => details));
  assert.equal(older(events).length, 1, told);
  const uptime = Number(read('/run/early/uptime').split(' ')[0]);
  const seconds = Number(read('/proc/uptime').split(' ')[0]);
  const bytes = rings.slice(0, 3).reduce((total, { delivered }) => total + delivered, 0);
  console.log(`# guard after ${uptime} s of boot; ${bytes} records until ${seconds} s`);
}

/** warden=off: the initramfs has attached nothing, and `load` by anybody does not either. */
function nothingIsAttached(): void {
  assert.ok(statSync(`${DIR}/off`).isFile());
  assert.equal(existsSync(`${DIR}/bpf`), false);
  const { length } = truths(read('/run/early/unknown')).filter(({ errno }) => errno === null);
  assert.equal(length, 3, 'nobody refuses');
  install();
  const { status, stderr } = spawnSync(INSTALLED, EARLY, { encoding: 'utf8' });
  assert.equal(status, 79);
  assert.match(stderr, /warden=off is on the kernel's command line: nothing is attached/);
}

async function isSaidLater(): Promise<void> {
  const linger = spawn(`${WORKLOADS}/linger`, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  linger.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await waitFor('a link of somebody else', () => said.includes('RAW_TRACEPOINT_OPEN'));
  const isOff = (event: Event) => /^warden=off: nothing was attached/.test(detail(event, 'found'));
  const isBefore = (event: Event) => detail(event, 'state') === 'before';
  const list = () => JSON.parse(read(`${DIR}/before.json`)).before as Record<string, unknown>[];
  const events = await services(
    (all) => all.some(isOff) && all.filter(isBefore).length >= list().length,
  );
  const before = events.filter(isBefore);
  const linked = /^link \d+ raw_tracepoint, program \d+ raw_tracepoint wl_linger$/;
  assert.ok(before.some((event) => linked.test(detail(event, 'found'))));
  assert.equal(before.length, list().length);
  assert.equal(existsSync(`${DIR}/off`), false, 'said once');
  linger.kill('SIGTERM');
}

if (process.env.WARDEN_SCENARIO === 'off') {
  test('nothing is attached', nothingIsAttached);
  test('it is said when services start', isSaidLater);
} else {
  test('the guard was there first', wasThereFirst);
  test('it goes on on the real root', goesOn);
  test('the accepted revision is remembered', remembers);
  test('an upgrade on top of it', isUpgraded);
  test('services find every act', isFoundLater);
}
