import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { join, resolve } from 'node:path';
import Table from 'cli-table3';
import { Argument, Command } from 'commander';
import { native, StatsMap } from '#bpf';
import { hostName } from '#event';
import { Fold } from '#fold';
import { DEFAULT_LIMIT } from '#log';
import { compilePolicy, defaultPolicyText, parsePolicy } from '#policy';
import { openMemoryStore, openSqliteStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { descendants, type Placed, place, run, Warden } from '#testkit';
import { Collector } from '../../services/collector/index.ts';
import { fleet, wire } from './fleet/index.ts';
import { guests } from './guest.ts';

/** What the product costs, as ratios of one run: absolute times of these machines say little. */
const ROOT = resolve(import.meta.dirname, '../..');
const LOADER = join(ROOT, 'bpf/build/warden-load');
const PAIRS = 5;

interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly note: string;
}

const figures: Figure[] = [];

function record(what: string, value: number, unit: string, note = ''): void {
  figures.push({ what, value: Number(value.toPrecision(4)), unit, note });
  process.stderr.write(`${what}: ${value.toPrecision(4)} ${unit}\n`);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

function policyFile(at: Placed): string {
  const parsed = parsePolicy(defaultPolicyText, 'built-in');
  if (!parsed.ok) throw new Error('the built-in policy is broken');
  const file = join(at.root, 'policy.compiled');
  writeFileSync(file, compilePolicy(parsed.policy, { host: hostName('bench') }));
  return file;
}

function load(at: Placed, ...options: string[]): void {
  const args = ['load', '--dir', at.run, '--policy', policyFile(at), '--gid', '0', ...options];
  execFileSync(LOADER, args, { stdio: 'ignore' });
}

const unload = (at: Placed) => execFileSync(LOADER, ['unload', '--dir', at.run]);

function times(program: string): Map<string, number> {
  const out = execFileSync(program, ['5'], { encoding: 'utf8' });
  const lines = out
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  return new Map(lines.map(([name, ns]) => [name as string, Number(ns)]));
}

/** System calls with the tracepoints attached against without, in turn. */
function tax(at: Placed): void {
  const program = join(at.root, 'syscalls');
  execFileSync('cc', ['-O2', '-o', program, join(ROOT, 'test/bench/syscalls.c')]);
  const ratios = new Map<string, number[]>();
  const without = new Map<string, number[]>();
  for (let pair = 0; pair < PAIRS; pair++) {
    const plain = times(program);
    load(at);
    const taxed = times(program);
    unload(at);
    for (const [name, ns] of plain) {
      ratios.set(name, [...(ratios.get(name) ?? []), (taxed.get(name) as number) / ns]);
      without.set(name, [...(without.get(name) ?? []), ns]);
    }
  }
  for (const [name, values] of ratios) {
    const ns = median(without.get(name) as number[]).toFixed(0);
    record(`${name}, attached / not`, median(values), '×', `${ns} ns without; median of ${PAIRS}`);
  }
}

async function openCollector(at: Placed, store: Store): Promise<Collector> {
  const parsed = parsePolicy(defaultPolicyText, 'built-in');
  if (!parsed.ok) throw new Error('the built-in policy is broken');
  return Collector.open({
    store,
    pins: join(at.run, 'bpf'),
    host: hostName('bench'),
    hostKey: Buffer.alloc(32, 1),
    bootId: JSON.parse(readFileSync(join(at.run, 'load.json'), 'utf8')).boot_id,
    mode: 'audit',
    policy: parsed.policy,
    version: 'bench',
    logger: createLogger({ level: 'error', name: 'bench' }),
    inventoryMs: 3_600_000,
    countersMs: 1000,
    logBytes: 1024 ** 3,
  });
}

const STORM = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
attr = ctypes.create_string_buffer(b'\\xff\\xff\\xff\\xff', 128)
for _ in range(int(sys.argv[1])):
    libc.syscall(321, 11, attr, 128)
`;

/** Full rings drained into the log: events per second, and processor time per event. */
async function drain(at: Placed): Promise<void> {
  load(at, '--ring-bulk', String(64 << 20));
  mkdirSync(at.state, { recursive: true });
  const store = await openSqliteStore(at.database);
  const collector = await openCollector(at, store);
  while ((await collector.step()).more);
  const before = collector.totals.records;
  await run('python3', ['-c', STORM, '100000']);
  const startedNs = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  while ((await collector.step()).more);
  const seconds = Number(process.hrtime.bigint() - startedNs) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  const events = collector.totals.records - before;
  const stats = new StatsMap(join(at.run, 'bpf/stats')).read();
  const lost = stats.rings.reduce((sum, ring) => sum + ring.lost, 0);
  record('ring to committed log', events / seconds, 'events/s', `${events} events, ${lost} lost`);
  record('ring to committed log, CPU', (user + system) / events, 'µs/event');
  await collector.stop();
  await fold(store);
  await store.close();
  unload(at);
}

/** The log that was just written, folded into memory. */
async function fold(store: Store): Promise<void> {
  const key = Buffer.alloc(32, 1);
  const keys = { hostKeyOf: () => key, control: key };
  const memory = await openMemoryStore();
  const folder = new Fold({ state: memory, keys });
  let events = 0;
  const startedNs = process.hrtime.bigint();
  for (let next = 0; ; ) {
    const source = { topic: 'bpf.events', partition: 0 } as const;
    const records = await store.log.read(source, next, DEFAULT_LIMIT);
    if (records.length === 0) break;
    const folded = await folder.apply(records);
    await memory.commit({ outputs: [], state: folded.state, position: [] });
    folder.committed();
    events += folded.events;
    next = (records.at(-1)?.offset ?? next) + 1;
  }
  const seconds = Number(process.hrtime.bigint() - startedNs) / 1e9;
  record('fold', events / seconds, 'events/s', `${events} events, read, opened, folded`);
}

function residentMb(pids: readonly number[]): number {
  const kb = pids.map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  });
  return kb.reduce((sum, one) => sum + one, 0) / 1024;
}

function cpuTicks(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, one) => sum + one, 0);
}

/** What it takes of this host. */
async function host(): Promise<void> {
  for (const part of [tax, drain, rest]) {
    const at = place('bench');
    try {
      await part(at);
    } finally {
      at.remove();
    }
  }
}

/** A whole instance with nothing to do. */
async function rest(at: Placed): Promise<void> {
  const warden = await Warden.start({ place: at });
  const pids = [warden.pid, ...descendants(warden.pid)];
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const ticks = cpuTicks(pids);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  record('memory at rest', residentMb(pids), 'MiB', 'monitor, collector, fold, enforcer, table');
  record('processor at rest', (cpuTicks(pids) - ticks) / 10, '% of a core', 'over 10 s');
  await warden.clean();
}

const OTHERS = { guest: guests, fleet, wire } as const;
type Other = keyof typeof OTHERS;

const bench = new Command('bench')
  .description('what the product costs, as ratios of one run')
  .addArgument(
    new Argument(
      '[part]',
      'guest: the guard on each kernel of the matrix; fleet: the services in between; ' +
        "wire: of those only a host's way to the broker; without one: this host",
    ).choices(Object.keys(OTHERS)),
  )
  .option('--json', 'figures as one line of JSON')
  .addHelpText('after', '\nExample:\n  $ npm run bench -- guest --json')
  .parse();
const [part] = bench.args as [Other?];
const options: { json?: boolean } = bench.opts();
const machine = `${release()}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'processor'}`;
native();
await (part === undefined ? host() : OTHERS[part](record));
if (options.json) console.log(JSON.stringify({ schema: 'warden.bench/1', machine, figures }));
else {
  const table = new Table({
    head: ['what', 'value', 'unit', 'note'],
    style: { head: [], border: [] },
  });
  for (const { what, value, unit, note } of figures) table.push([what, value, unit, note]);
  console.log(`${machine}\n${table}`);
}
