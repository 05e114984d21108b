import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CACHE } from './cache.ts';
import { images, rootPartition, type System } from './image.ts';
import { type Kernel, kernelFiles } from './kernels.ts';
import { SLOTS, takeSlot } from './slots.ts';

export interface GuestJob {
  readonly kernel: Kernel;
  /** Of `debian` systemd is the first process, and the job is a unit of it. */
  readonly system?: System;
  /** A line for `sh`, as root, in the product's directory. Without one: a shell on the console. */
  readonly command?: string;
  /** More of the kernel's command line, such as `preempt=full`. */
  readonly append?: string;
  readonly timeoutSeconds?: number;
  readonly memoryMiB?: number;
  /**
   * Up to 6.12, a thread of the emulator for each processor: they race as real ones do, and now and
   * then it crashes the kernel at a function that is patched while the other is in it.
   */
  readonly twoThreads?: boolean;
  /** Lets the guest reach servers of this machine at 10.0.2.2. */
  readonly network?: boolean;
  /** A file of an initramfs; without it the kernel mounts the base by itself. */
  readonly initrd?: string;
  /** Ends the guest as if its power were cut. */
  readonly signal?: AbortSignal;
  /** More files, by absolute path. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  readonly say?: (text: string) => void;
  /** Each line of the console as it comes. */
  readonly onConsole?: (line: string) => void;
}

export interface GuestRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly console: string;
  readonly seconds: number;
  readonly bootSeconds: number;
}

/** A guest that panicked, hung or vanished. `console` is all that it said. */
export class GuestError extends Error {
  readonly code: 'PANIC' | 'TIMEOUT' | 'VANISHED';
  readonly console: string;

  constructor(code: GuestError['code'], what: string, console: string) {
    const tail = console.split('\n').slice(-30).join('\n');
    super(`guest ${what}; its last words:\n${tail}`);
    this.name = 'GuestError';
    this.code = code;
    this.console = console;
  }
}

const OUTPUT_BYTES = 64 << 20;
const DEFAULT_TIMEOUT = 300;
/** A boot takes seconds. The emulator is known to hang now and then before it, in its firmware. */
const BOOT_SECONDS = 90;
/** With an initramfs it comes after our first load of the guard, and udev; or after all units. */
const bootLimit = ({ initrd, system }: GuestJob) =>
  initrd === undefined && system !== 'debian' ? BOOT_SECONDS : 300;
/** Not at the start of a line: the firmware's last one has no end. */
const UP = /guest: up in /;
const DEFAULT_MEMORY = 2048;
/** Not a workqueue that waits long: the emulator is that slow. */
const PANIC = new RegExp(
  'Kernel panic|\\bOops\\b|^(?:\\[ *[\\d.]+\\] )?BUG: (?!workqueue)|' +
    'general protection fault|double fault',
  'm',
);
function writeJob(directory: string, job: GuestJob): string {
  const tree = join(directory, 'job');
  const put = (path: string, content: Uint8Array | string) => {
    const target = join(tree, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, 0o755);
  };
  put('job/command', `${job.command ?? ''}\n`);
  if (job.command === undefined) put('job/interactive', '');
  if (job.network === true) put('job/network', '');
  for (const [path, content] of Object.entries(job.files ?? {})) put(path, content);
  const disk = join(directory, 'job.tar');
  execFileSync('tar', ['-cf', disk, '--owner=0', '--group=0', '-C', tree, '.']);
  return disk;
}

/** An empty file as large as what a guest may say. */
function makeOutput(directory: string): string {
  const path = join(directory, 'output');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, OUTPUT_BYTES);
  closeSync(fd);
  return path;
}

/** Name spaces of one controller: controllers are numbered in the order in which they answer. */
function disk(file: string, number: number, options: string): string[] {
  const drive = `file=${file},if=none,id=disk${number},format=raw,${options}`;
  return ['-drive', drive, '-device', `nvme-ns,drive=disk${number},bus=nvme,nsid=${number}`];
}

async function qemuArguments(job: GuestJob, directory: string): Promise<string[]> {
  const say = job.say ?? (() => undefined);
  const system = job.system ?? 'base';
  const { root, product } = await images(system, CACHE, say);
  const { image } = await kernelFiles(job.kernel, CACHE, say);
  // What faults under emulation: cmpxchg16b up to 6.12, and patching of text by two threads: on 7.2
  // while it boots, elsewhere when programs are attached to what is in use.
  const isNew = job.kernel === '7.2';
  const append = [
    `console=ttyS0 root=PARTUUID=${rootPartition(system)} rootwait rw rootfstype=ext4 init=/init`,
    'panic=-1 quiet',
    'net.ifnames=0 random.trust_cpu=on',
    job.append ?? '',
  ].join(' ');
  return [
    ...[
      '-accel',
      `tcg,thread=${!isNew && job.twoThreads === true ? 'multi' : 'single'}`,
      '-cpu',
      isNew ? 'max,-pku' : 'max,-cx16,-pku',
    ],
    ...['-smp', '2', '-m', String(job.memoryMiB ?? DEFAULT_MEMORY)],
    ...['-kernel', image, '-append', append, '-nographic', '-no-reboot'],
    ...(job.initrd === undefined ? [] : ['-initrd', job.initrd]),
    ...(job.network === true
      ? ['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile=']
      : ['-nic', 'none']),
    ...['-device', 'nvme,id=nvme,serial=guest'],
    ...disk(root, 1, 'snapshot=on'),
    ...disk(product, 2, 'snapshot=on'),
    ...disk(writeJob(directory, job), 3, 'snapshot=on'),
    ...disk(makeOutput(directory), 4, 'cache=unsafe'),
  ];
}

interface Ended {
  readonly console: string;
  readonly timedOut: boolean;
  /** Not even our own first process ran. */
  readonly stuck: boolean;
}

async function runQemu(args: readonly string[], job: GuestJob): Promise<Ended> {
  const interactive = job.command === undefined;
  const child = spawn('qemu-system-x86_64', args, {
    stdio: interactive ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: tmpdir() },
  });
  let text = '';
  let rest = '';
  const hear = (chunk: Buffer) => {
    text += chunk.toString('latin1');
    rest += chunk.toString('latin1');
    const lines = rest.split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) job.onConsole?.(line);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  let timedOut = false;
  let stuck = false;
  const boot = setTimeout(() => {
    stuck = !interactive && !UP.test(plain(text));
    if (stuck) child.kill('SIGKILL');
  }, bootLimit(job) * 1000);
  const limit = interactive ? 2 ** 31 - 1 : (job.timeoutSeconds ?? DEFAULT_TIMEOUT) * 1000;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, limit);
  const cut = () => child.kill('SIGKILL');
  job.signal?.addEventListener('abort', cut);
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  job.signal?.removeEventListener('abort', cut);
  clearTimeout(timer);
  clearTimeout(boot);
  return { console: plain(text), timedOut, stuck };
}

/** Without carriage returns and what a terminal would do. */
function plain(text: string): string {
  return text.replaceAll('\r', '').replace(/\x1b(?:\[[0-9;?]*[a-zA-Z]|c)/g, '');
}

/** What the guest left on its last disk; null when it never came to that. */
function readOutput(
  directory: string,
): Record<'up' | 'status' | 'stdout' | 'stderr', string> | null {
  const into = join(directory, 'result');
  mkdirSync(into);
  try {
    execFileSync('tar', ['-xf', join(directory, 'output'), '-C', into], { stdio: 'pipe' });
    const read = (name: string) => readFileSync(join(into, name), 'utf8');
    return {
      up: read('up'),
      status: read('status'),
      stdout: read('stdout'),
      stderr: read('stderr'),
    };
  } catch {
    return null;
  }
}

/** Boots, and once more when the emulator hung before anything of ours ran in it. */
async function bootOnce(args: readonly string[], job: GuestJob): Promise<Ended> {
  const first = await runQemu(args, job);
  if (!first.stuck || PANIC.test(first.console)) return first;
  const what = `${job.kernel}: the emulator was not up after ${bootLimit(job)} s: boots again`;
  process.stderr.write(`guest: ${what}\n`);
  return runQemu(args, job);
}

/**
 * Boots a kernel, runs the command, and ends. Throws `GuestError` with the console's end when the
 * guest panics, hangs or vanishes.
 */
export async function runGuest(job: GuestJob): Promise<GuestRun> {
  const giveBack = await takeSlot(job.say ?? (() => undefined));
  const directory = mkdtempSync(join(tmpdir(), 'warden-guest-'));
  const startedMs = Date.now();
  try {
    const args = await qemuArguments(job, directory);
    const beganMs = Date.now();
    const { console, timedOut, stuck } = await bootOnce(args, job);
    const seconds = (Date.now() - startedMs) / 1000;
    const name = `${job.kernel}${job.append ? ` (${job.append})` : ''}`;
    if (job.command === undefined) {
      return { status: 0, stdout: '', stderr: '', console, seconds, bootSeconds: 0 };
    }
    if (PANIC.test(console)) throw new GuestError('PANIC', `${name} panicked`, console);
    if (timedOut || stuck) {
      const after = stuck ? bootLimit(job) : (job.timeoutSeconds ?? DEFAULT_TIMEOUT);
      throw new GuestError('TIMEOUT', `${name} did not end within ${after} s`, console);
    }
    const output = readOutput(directory);
    if (output === null) throw new GuestError('VANISHED', `${name} ended without a word`, console);
    const { up, status, stdout, stderr } = output;
    const bootSeconds = Math.min(Number(up), (Date.now() - beganMs) / 1000);
    return { status: Number(status), stdout, stderr, console, seconds, bootSeconds };
  } finally {
    rmSync(directory, { recursive: true, force: true });
    giveBack();
  }
}

/** Runs several, as many at a time as may; results in order. */
export async function runGuests(jobs: readonly GuestJob[]): Promise<GuestRun[]> {
  const results: GuestRun[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < jobs.length; i = next++)
      results[i] = await runGuest(jobs[i] as GuestJob);
  };
  await Promise.all(Array.from({ length: Math.min(SLOTS, jobs.length) }, worker));
  return results;
}
