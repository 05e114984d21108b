import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ACT_FLAGS, decodeRecord, type KernelAct, Ring, StatsMap } from '#bpf';
import { hostName } from '#event';
import { compilePolicy, parsePolicy } from '#policy';
import { dose, run, type Truth } from '#testkit';
import { inForce, installed, WORKLOADS } from './support.ts';

/**
 * From one build of the guard to another and back, with everything going on at once: who is to be
 * refused asks 1,000 times a second, who is to be let by too, processes come and go, programs are
 * loaded. Without services: the rings hold all that was recorded, to be counted at the end.
 */
const UPGRADES = dose === 'full' ? 100 : 2;
const RATE = 1000;
const KNOWN_RATE = 100;
const DIR = '/run/warden';
const POLICY = '/tmp/policy.compiled';
const BUILDS = [
  resolve(WORKLOADS, '../warden-load'),
  resolve(WORKLOADS, '../variants/other/warden-load'),
] as const;
const MOVED = resolve(WORKLOADS, '../variants/moved/warden-load');
/** Of the workloads: they share the one emulated thread with the kernel's verifier. */
const PAUSE_MS = 300;
const RING_BYTES = 64 << 20;

const KNOWN = installed('prober', 'prober-known');
const REFUSED = installed('prober', 'prober-refused');
const CHURN = installed('churn', 'churn');
const LOADS = installed('loads', 'loads');

const TEXT = `version: 1
mode: enforce
loaders:
  - { name: login, kind: login, match: { path: /usr/bin/login } }
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
  - { name: known, match: { path: ${KNOWN} }, grant: all }
  - { name: churn, match: { path: ${CHURN} }, grant: all }
  - { name: loads, match: { path: ${LOADS} }, grant: all }
grants:
  unknown: { commands: [], program_types: [], map_types: [] }
`;

interface Counted {
  readonly calls: number;
  readonly refused: number;
  readonly let_by: number;
  readonly children: number;
  readonly seconds: number;
  readonly longest_pause_ms: number;
}

function compile(text: string): void {
  const parsed = parsePolicy(text, 'upgrade');
  assert.ok(parsed.ok, JSON.stringify(parsed));
  writeFileSync(POLICY, compilePolicy(parsed.policy, { host: hostName('guest') }), { mode: 0o600 });
}

const LOAD = ['load', '--dir', DIR, '--policy', POLICY, '--gid', '0', '--mode', 'lsm', '--json'];

function load(build: string, ...more: string[]): Record<string, unknown> {
  return JSON.parse(execFileSync(build, [...LOAD, ...more], { encoding: 'utf8' }));
}

function handOver(from: string, to: string): void {
  execFileSync(from, ['hand-over', '--dir', DIR, '--to', to]);
}

interface Prober {
  readonly child: ChildProcess;
  text: string;
}

function probe(program: string, rate: number): Prober {
  const child = spawn(program, [String(rate)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const prober = { child, text: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    prober.text += chunk.toString();
  });
  return prober;
}

async function counted(prober: Prober): Promise<Counted> {
  prober.child.kill('SIGTERM');
  await once(prober.child, 'close');
  return JSON.parse(prober.text) as Counted;
}

/** Runs a workload again and again; returns what it says it did. */
async function repeat(program: string, args: string[], signal: AbortSignal): Promise<Truth[]> {
  const acts: Truth[] = [];
  while (!signal.aborted) {
    const { code, stdout, stderr } = await run(program, args);
    assert.equal(code, 0, `${program}: ${stdout}${stderr}`);
    const lines = stdout.split('\n').filter((line) => line !== '');
    for (const line of lines) acts.push(JSON.parse(line) as Truth);
    await sleep(PAUSE_MS);
  }
  return acts;
}

/** Every act that a ring holds. */
function actsOf(name: string): KernelAct[] {
  const ring = new Ring(`${DIR}/bpf/${name}`);
  const acts: KernelAct[] = [];
  for (let at = ring.positions().consumer; ; ) {
    const { records, next } = ring.read(at);
    if (next === at) break;
    for (const { bytes } of records) {
      const record = decodeRecord(bytes);
      if ('act' in record) acts.push(record.act);
    }
    at = next;
  }
  ring.close();
  return acts;
}

function loadersByName(): Map<string, number> {
  const { loaders } = JSON.parse(readFileSync(`${DIR}/load.json`, 'utf8'));
  return new Map(
    (loaders as { name: string; index: number }[]).map(({ name, index }) => [name, index]),
  );
}

async function underLoad(upgrade: () => Promise<void>) {
  const refused = probe(REFUSED, RATE);
  const known = probe(KNOWN, KNOWN_RATE);
  const stop = new AbortController();
  const churned = repeat(CHURN, ['20', '1'], stop.signal);
  const loaded = repeat(LOADS, ['--type', '1'], stop.signal);
  await upgrade();
  stop.abort();
  const truths = [...(await churned), ...(await loaded)];
  return { truths, refused: await counted(refused), known: await counted(known) };
}

/**
 * Each act that a workload printed is one record, by the loader that it is. In a long run a pid is
 * another process's again.
 */
function compare(truths: readonly Truth[]): { records: number; noResult: number } {
  const loaders = loadersByName();
  const numbers = new Set([loaders.get('churn'), loaders.get('loads')]);
  const acts = actsOf('ring_object').filter(({ loader }) => numbers.has(loader));
  const COMMANDS: Readonly<Record<string, number>> = { MAP_CREATE: 0, PROG_LOAD: 5 };
  const found = Map.groupBy(acts, ({ pid, command }) => `${pid} ${command}`);
  const made = Map.groupBy(truths, ({ pid, command }) => `${pid} ${COMMANDS[command]}`);
  for (const [act, { length }] of made) {
    const records = found.get(act)?.length ?? 0;
    assert.equal(records, length, `${act} (pid, command): ${length} acts, ${records} records`);
  }
  assert.equal(acts.length, truths.length, 'and no record that is of none of them');
  const noResult = acts.filter(({ flags }) => (flags & ACT_FLAGS.noResult) !== 0).length;
  return { records: acts.length, noResult };
}

async function upgrades(): Promise<void> {
  compile(TEXT);
  mkdirSync(DIR, { recursive: true });
  const rings = ['deny', 'object', 'code'].flatMap((name) => [`--ring-${name}`, `${RING_BYTES}`]);
  load(BUILDS[0], ...rings);
  const times: number[] = [];
  const { truths, refused, known } = await underLoad(async () => {
    for (let i = 0; i < UPGRADES; i++) {
      const [from, to] = i % 2 === 0 ? BUILDS : BUILDS.toReversed();
      const beganMs = Date.now();
      // Not in between two calls of this process: what is measured goes on meanwhile.
      await run(from as string, ['hand-over', '--dir', DIR, '--to', to as string]);
      const { code, stdout, stderr } = await run(to as string, LOAD);
      assert.equal(code, 0, stderr);
      const { upgraded, generation } = JSON.parse(stdout);
      assert.deepEqual([upgraded, generation], [true, i + 2], stderr);
      times.push(Date.now() - beganMs);
      console.log(`# upgrade ${i + 1}: ${times.at(-1)} ms`);
    }
  });
  const current = BUILDS[UPGRADES % 2] as string;
  inForce(current, DIR, TEXT.replace('enforce', 'observe'));
  const stats = new StatsMap(`${DIR}/bpf/stats`);
  const counts = stats.read();
  stats.close();
  const slowest = Math.max(...times);
  const said = { refused, known, slowest_ms: slowest, errors: counts.errors, rings: counts.rings };
  console.log(`# ${UPGRADES} upgrades: ${JSON.stringify(said)}`);
  assert.equal(refused.refused, refused.calls, 'refused each time');
  assert.equal(known.let_by, known.calls, 'a labelled task, and its children, keep their loader');
  assert.ok(refused.children > 0 && known.children > 0);
  assert.ok(refused.calls > refused.seconds * RATE * 0.5, 'it did ask that often');
  for (const { attempted, delivered, lost } of counts.rings) {
    assert.deepEqual([attempted - delivered, lost], [0, 0]);
  }
  const { records, noResult } = compare(truths);
  console.log(`# ${truths.length} acts, ${records} records, ${noResult} without a result`);
  assert.ok(truths.length > UPGRADES * 5, 'there was load');
  inForce(current, DIR, TEXT);
}

/** What another layout would do, it does not begin. */
async function refusesAnotherLayout(): Promise<void> {
  const current = BUILDS[UPGRADES % 2] as string;
  handOver(current, MOVED);
  const before = readFileSync(`${DIR}/load.json`, 'utf8');
  const { status, stderr } = spawnSync(MOVED, LOAD, { encoding: 'utf8' });
  assert.equal(status, 69, stderr);
  assert.match(stderr, /another layout is loaded, which goes on: map tasks: wd_task vouched_for/);
  assert.match(stderr, /unload and load/);
  assert.equal(readFileSync(`${DIR}/load.json`, 'utf8'), before);
  const { stdout } = await run('/bin/sh', ['-c', `timeout 5 ${REFUSED} 100; true`]);
  const { calls, refused } = JSON.parse(stdout) as Counted;
  assert.deepEqual([refused, calls > 10], [calls, true], 'the guard goes on');
  execFileSync(MOVED, ['unload', '--dir', DIR]);
  const { upgraded, adopted } = load(MOVED);
  assert.deepEqual([upgraded, adopted], [false, false], 'as an operator goes');
  execFileSync(MOVED, ['unload', '--dir', DIR]);
}

test(`${UPGRADES} upgrades under load`, upgrades);
test('another layout is refused, untouched', refusesAnotherLayout);
