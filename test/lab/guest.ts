import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventJson } from '#event';
import {
  GuestError,
  type GuestJob,
  type GuestRun,
  type Kernel,
  runGuest,
} from '../kernel/guest/index.ts';
import type { Attack, Setting } from './types.ts';

/** One boot: which kernel, how, and under which setting. */
export interface Boot {
  readonly kernel: Kernel;
  readonly setting: Setting;
  readonly preempt?: string;
  /** Loads that the racing attack tries; by default about a thousand. */
  readonly tries?: number;
}

/** What the runner in the guest says of an attack (`attacks/run.c`). */
export interface Made {
  readonly attack: string;
  readonly beginUs: number;
  readonly endUs: number;
  /** Of the attack's process; -1: it did not end in time. */
  readonly status: number;
  readonly truth: Truth | null;
}

export interface Truth {
  readonly gained: boolean;
  readonly how: string;
  readonly errno: string | null;
}

export interface Booted {
  /** All that the guest said: for whoever asks why. */
  readonly stdout: string;
  readonly made: readonly Made[];
  readonly events: readonly EventJson[];
  /** The attack after which the guard was gone, so that the rest was not made. */
  readonly lost: string | null;
  readonly seconds: number;
}

const HERE = import.meta.dirname;
const BUILD = join(HERE, 'build');
const AT = '/usr/local/bin';
const ZEROS = '0'.repeat(64);
const FIRST_AUID = 10100;
/** Of the act that ends a run. */
const LAST_AUID = 10998;
const SECONDS = 1800;
/** Boots until a guest has run to its end. */
const TRIES = 4;
const STATE = '/var/lib/lab';
const MADE = '/root/made';
/** Not below /run, which an attack unmounts. */
const STREAM = '/root/stream';
const POLICY = '/etc/lab-policy.yaml';
const SIGNING_PINS = '/sys/fs/bpf/signing';
const RUN_DIR = '/run/warden';

/** What of the build goes where; some programs are there under several names. */
const INSTALLED: Readonly<Record<string, string>> = {
  'lab-run': 'lab-run',
  attack: 'attack',
  attack32: 'attack32',
  agent: 'agent',
  starter: 'agent',
  kept: 'agent',
  powertool: 'attack',
  skeleton: 'attack',
  interpreter: 'attack',
};

export function build(): void {
  execFileSync('make', ['-s', '-C', HERE], { stdio: ['ignore', 'inherit', 'inherit'] });
}

function policyFor(setting: Setting): string {
  const digest = createHash('sha256')
    .update(readFileSync(join(BUILD, 'agent')))
    .digest('hex');
  return readFileSync(join(HERE, 'policy.yaml'), 'utf8')
    .replace(ZEROS, digest)
    .replace(/^mode: enforce$/m, `mode: ${setting === 'observe' ? 'observe' : 'enforce'}`);
}

function addSigning(files: Record<string, Uint8Array | string>): void {
  for (const name of ['lab-keys', 'lab-signing']) {
    files[`${AT}/${name}`] = readFileSync(join(BUILD, name));
  }
  files['/root/signing.bpf.o'] = readFileSync(join(BUILD, 'signing.bpf.o'));
  for (const name of readdirSync(join(BUILD, 'signatures'))) {
    files[`/root/signatures/${name}`] = readFileSync(join(BUILD, 'signatures', name));
  }
}

function filesFor(setting: Setting): Record<string, Uint8Array | string> {
  const files: Record<string, Uint8Array | string> = {
    [POLICY]: policyFor(setting),
  };
  for (const [name, built] of Object.entries(INSTALLED)) {
    files[`${AT}/${name}`] = readFileSync(join(BUILD, built));
  }
  if (setting === 'signing') addSigning(files);
  files['/usr/local/lib/evil.so'] = readFileSync(join(BUILD, 'evil.so'));
  return files;
}

/** Starts the product and waits for its first event. */
const START_PRODUCT = `
WARDEN_HOST=guest WARDEN_LOG_LEVEL=warn ./warden up --json --state ${STATE} \\
  --policy ${POLICY} >${STREAM} 2>/root/errors &
export LAB_GUARD_PID=$! LAB_GUARD_PINS=${RUN_DIR}/bpf
for i in $(seq 2400); do
  grep -q '"command":"START"' ${STREAM} && break
  sleep 0.1
done
grep -q '"command":"START"' ${STREAM} || { cat /root/errors >&2; exit 70; }
`;

/** The vendor's key is there and sealed before anybody else runs; then the rule counts. */
const START_SIGNING = `
mkdir -p /run/lab/signatures ${SIGNING_PINS}
cp /root/signatures/* /run/lab/signatures/
lab-keys /root/signatures/certificate >/run/lab/signatures/keyring || exit 70
lab-signing /root/signing.bpf.o ${SIGNING_PINS} "$(cat /run/lab/signatures/keyring)" || exit 70
export LAB_GUARD_PINS=${SIGNING_PINS}
`;

/**
 * Waits until the services have caught up, as far as they live: until they tell of an act that is
 * made for this, again and again, because rings may be full. Then prints the whole log.
 */
const READ_EVENTS = `
for i in $(seq 40); do
  kill -0 $LAB_GUARD_PID || break
  lab-run load-plain:${LAST_AUID}:0:none:attack:any >/dev/null
  sleep 5
  grep -q 'uid:${LAST_AUID}@corp' ${STREAM} && break
  [ $i -ge 3 ] && grep -q '"lost"' ${MADE} && break
done
./warden tail --all --no-follow --json --state ${STATE} | sed 's/^/EVENT /'
`;

const STARTS: Readonly<Record<Setting, string>> = {
  none: '',
  signing: START_SIGNING,
  observe: START_PRODUCT,
  enforce: START_PRODUCT,
};

function order(attack: Attack, index: number): string {
  const auid = attack.auid ?? String(FIRST_AUID + index);
  const { name, settleMs = 0, fixture = 'none', program = 'attack' } = attack;
  const end = attack.destructive === true ? 'last' : 'any';
  return [name, auid, settleMs, fixture, program, end].join(':');
}

/** Seconds that an attack may take: an emulated load takes some milliseconds. */
const dose = (tries: number): number => 60 + Math.ceil(tries / 20);

/** The guest's script: start, attacks, what the product said. */
function scriptFor({ setting, tries }: Boot, attacks: readonly Attack[]): string {
  const health = setting === 'none' || setting === 'observe' ? [] : ['-h'];
  const run = [`${AT}/lab-run`, ...health, ...attacks.map(order)].join(' ');
  const product = setting === 'observe' || setting === 'enforce';
  return [
    'mkdir -p /run/lab',
    ...(tries === undefined ? [] : [`export LAB_TRIES=${tries} LAB_TIMEOUT=${dose(tries)}`]),
    STARTS[setting],
    `${run} | tee ${MADE}`,
    ...(product ? [READ_EVENTS] : []),
  ].join('\n');
}

function madeOf(line: string): Made | null {
  const said = JSON.parse(line) as Record<string, unknown>;
  if (said.begin === undefined) return null;
  return {
    attack: String(said.attack),
    beginUs: Number(said.begin),
    endUs: Number(said.end),
    status: Number(said.status),
    truth: said.truth as Truth | null,
  };
}

function eventOf(line: string): EventJson | null {
  try {
    return JSON.parse(line) as EventJson;
  } catch {
    // The last line of a product that was killed.
    return null;
  }
}

function parse(stdout: string): Omit<Booted, 'seconds' | 'stdout'> {
  const lines = stdout.split('\n');
  const said = lines.filter((line) => line.startsWith('{'));
  const events = lines.filter((line) => line.startsWith('EVENT {'));
  return {
    made: said.map(madeOf).filter((one) => one !== null),
    events: events.map((line) => eventOf(line.slice(6))).filter((one) => one !== null),
    lost: said.map((line) => JSON.parse(line).lost as string | undefined).find(Boolean) ?? null,
  };
}

/** The emulator faults now and then, the more the busier its machine is: each time is told. */
async function runPatiently(job: GuestJob, say: (text: string) => void): Promise<GuestRun> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await runGuest(job);
    } catch (error) {
      if (!(error instanceof GuestError) || left <= 1) throw error;
      say(`${job.kernel}: boots again: ${error.message.split('\n')[0]}`);
    }
  }
}

/** Boots once and makes these attacks, as far as the guard lives. Throws when nothing started. */
export async function attackIn(
  boot: Boot,
  attacks: readonly Attack[],
  say: (text: string) => void,
): Promise<Booted> {
  const job: GuestJob = {
    kernel: boot.kernel,
    command: scriptFor(boot, attacks),
    files: filesFor(boot.setting),
    timeoutSeconds: SECONDS + (boot.tries === undefined ? 0 : dose(boot.tries)),
    twoThreads: attacks.every(({ patches }) => patches !== true),
    say,
    ...(boot.preempt !== undefined && { append: `preempt=${boot.preempt}` }),
    onConsole: (line) => {
      const at = line.indexOf('lab: ');
      if (at >= 0) say(`${boot.kernel} ${boot.setting}: ${line.slice(at + 5)}`);
    },
  };
  const run = await runPatiently(job, say);
  if (run.status !== 0) {
    const said = `${run.stderr}\n${run.stdout.slice(-2000)}`;
    throw new Error(`${boot.kernel} ${boot.setting}: ended with ${run.status}: ${said}`);
  }
  if (run.stderr.trim() !== '') say(run.stderr.trim());
  return { ...parse(run.stdout), stdout: run.stdout, seconds: run.seconds };
}
