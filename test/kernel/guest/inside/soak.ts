import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type KernelStats, native, StatsMap } from '#bpf';
import { readEvents, run, waitFor } from '#testkit';
import { COMPLAINT, inForce, installed, open, WARDEN_LOAD } from './support.ts';

/**
 * The guard in mode enforce under eight threads of what it keeps something for. After it, it keeps
 * what it kept before it (`soak.test.ts`).
 */
const THREADS = 8;
const WARM_SECONDS = 15;
const SECONDS = Number(process.env.WARDEN_SOAK_SECONDS ?? 60);
const PINS = '/sys/fs/bpf/soak';
const CGROUP = '/sys/fs/cgroup/soak';
const SOAK = installed('soak', 'soak');
/** RCU grace periods, trace ones too, work queues, and the monitor's look at what is gone. */
const SETTLE_MS = 5000;
const SETTLES = 12;
/** The monitor forgets each 30 s what went unseen and is older than 10. */
const FORGET_MS = 45_000;
/** Deny, object and bulk; the code ring is in no sum. */
const ACT_RINGS = 3;
/** Of one object for each process. The services and the kernel took 62 for 3,412 at most. */
const LEFT_SHARE = 0.2;
/** Until the services have stored what came while they were behind: emulated, some minutes. */
const STORED_MS = 100_000;
/** Keys of what others do meanwhile. */
const FEW = 16;
const READ_ONLY = 1 << 3;
/** WD_MAX_COUNTERS and WD_MAX_BUCKETS. */
const COUNTERS_MAX = 16_384 + 1024;

const POLICY = `version: 1
mode: enforce
loaders:
  - { name: soak, floor: standard, grant: soak, match: { path: ${SOAK} } }
  - { name: node, kind: tool, match: { path: /usr/bin/node } }
signals: { S21: { weight: 0 } }
grants:
  soak:
    commands: ["*"]
    program_types: ["*"]
    map_types: ["*"]
    helpers: ["*", "!ktime_get_ns"]
`;

/** Acts of a step, and which of them are only counted. */
const ACTS = {
  map: { acts: 6, keys: 2 },
  trace: { acts: 2, keys: 0 },
  cgroup: { acts: 4, keys: 0 },
  refused: { acts: 1, keys: 0 },
  fork: { acts: 1, keys: 0 },
  exec: { acts: 0, keys: 0 },
} as const;
type Step = keyof typeof ACTS;
type Done = Readonly<Record<Step, number>>;

const steps = Object.keys(ACTS) as Step[];
const total = (done: Done, of: 'acts' | 'keys') =>
  steps.reduce((sum, step) => sum + done[step] * ACTS[step][of], 0);
const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

const scene = await open('soak', POLICY);
const pins = join(scene.at.run, 'bpf');
mkdirSync(PINS);
mkdirSync(CGROUP);

async function soak(seconds: number): Promise<Done> {
  const ran = await run(SOAK, [`${THREADS}`, `${seconds}`, PINS, CGROUP]);
  const lines = ran.stdout.trim().split('\n');
  assert.equal(ran.code, 0, `${ran.stdout}${ran.stderr}`);
  const rows = lines.map((line) => JSON.parse(line) as { step: Step; done: number });
  return Object.fromEntries(rows.map(({ step, done }) => [step, done])) as Done;
}

/** Elements of a hash table. */
function entries(path: string): number {
  const fd = native().objGet(path, READ_ONLY);
  try {
    const [, , key, value, most] = native().mapInfo(fd);
    return native().mapLookupBatch(fd, new Uint8Array(key * most), new Uint8Array(value * most));
  } finally {
    native().closeFd(fd);
  }
}

const TABLES = ['objects', 'counters', 'subjects', 'reflexes', 'raises', 'loaders', 'nonces'];

/** Live objects in each of the kernel's caches from which storage of tasks comes. */
function caches(): Record<string, number> {
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  const names = readdirSync('/sys/kernel/slab').filter((name) => name.startsWith('kmalloc-'));
  for (const name of names) {
    const shrink = `/sys/kernel/slab/${name}/shrink`;
    if (existsSync(shrink)) writeFileSync(shrink, '1');
  }
  const rows = readFileSync('/proc/slabinfo', 'utf8').matchAll(/^(kmalloc-\S+) +(\d+)/gm);
  return Object.fromEntries([...rows].map(([, name, count]) => [name, Number(count)]));
}

interface Kept {
  /** Entries by table. */
  readonly tables: Readonly<Record<string, number>>;
  /** Objects by cache. */
  readonly caches: Readonly<Record<string, number>>;
  readonly stats: KernelStats;
  readonly atMs: number;
}

/** Measured under a policy that observes: else the guard keeps its maps to itself. */
function kept(): Kept {
  inForce(WARDEN_LOAD, scene.at.run, POLICY.replace('mode: enforce', 'mode: observe'));
  const tables = Object.fromEntries(TABLES.map((name) => [name, entries(join(pins, name))]));
  const read = stats();
  const atMs = Date.now();
  inForce(WARDEN_LOAD, scene.at.run, POLICY);
  return { tables, caches: caches(), stats: read, atMs };
}

function stats(): KernelStats {
  const map = new StatsMap(join(pins, 'stats'));
  try {
    return map.read();
  } finally {
    map.close();
  }
}

/** What was freed is really gone some grace periods later; what leaked stays. */
async function settled(since?: Kept): Promise<Kept> {
  for (let settles = 1; ; settles++) {
    await setTimeout(SETTLE_MS);
    const now = kept();
    if (!since || settles === SETTLES || isDeepStrictEqual(fixed(now), fixed(since))) return now;
  }
}

/** The tables that end as they began. */
function fixed({ tables }: Kept): Readonly<Record<string, number>> {
  const { counters: _, ...others } = tables;
  return others;
}

const SAYS: readonly string[] = ['GUARD', 'SEAL', 'OVERRIDE'];

/** How far the log was read, and what of it warden-load said. */
let readTo = 0;
let saidSoFar = 0;

/** Stored records of what warden-load says of itself; what the ring had no room for is lost. */
async function saidByLoader(untilMs: number): Promise<number> {
  const seen = await readEvents(scene.at.database, readTo);
  readTo = (seen.at(-1)?.offset ?? readTo - 1) + 1;
  const asked = seen.filter(({ event }) => event.timeUs <= untilMs * 1000);
  saidSoFar += asked.filter(({ event }) => SAYS.includes(event.act.command)).length;
  return saidSoFar;
}

let warm: Done;
let done: Done;
let before: Kept;
let after: Kept;

test('eight threads load, attach, detach, free, fork and execute', async () => {
  warm = await soak(WARM_SECONDS);
  await setTimeout(FORGET_MS);
  before = await settled();
  done = await soak(SECONDS);
  const endMs = Date.now();
  after = await settled(before);
  console.log(`# ${SECONDS} s: ${JSON.stringify(done)}; settled in ${after.atMs - endMs} ms`);
  for (const step of steps) assert.ok(done[step] > THREADS, `${step}: ${done[step]}`);
});
test('the tables have as many entries as before', () => {
  console.log(`# before ${JSON.stringify(before.tables)}, after ${JSON.stringify(after.tables)}`);
  assert.deepEqual(fixed(after), fixed(before));
  const [counters = 0, countersBefore = 0] = [after.tables.counters, before.tables.counters];
  // By design these only grow, by the maps that are used, until they go over to buckets.
  assert.ok(counters <= Math.min(COUNTERS_MAX, countersBefore + total(done, 'keys') + FEW));
});
/** One element left behind by each process would be as many objects of one cache. */
test('no storage of tasks is left behind', () => {
  const processes = done.fork + done.exec;
  const grown = Object.entries(after.caches).map(
    ([name, count]) => [name, count - (before.caches[name] ?? 0)] as const,
  );
  const most = grown.reduce((a, b) => (b[1] > a[1] ? b : a));
  console.log(`# ${processes} processes; ${most.join(' grew most, by ')}`);
  const left = grown.filter(([, more]) => more > processes * LEFT_SHARE);
  assert.deepEqual(left, []);
});
/** As the kernel has it. That the log has all of it, or declares it, is for `loss.test.ts`. */
test('the counters add up', async () => {
  const { rings, acts, counted, open } = after.stats;
  const own = rings.slice(0, ACT_RINGS);
  for (const ring of own) assert.equal(ring.attempted, ring.delivered + ring.lost);
  assert.equal(open, 1, 'the call that reads them, and no other');
  // Records that are no act: what warden-load says, such as that nobody looked for a while.
  const records = sum(own.map(({ attempted }) => attempted));
  const told = counted + records - (acts - open);
  assert.ok(told >= 0, `${acts - open} acts, ${counted} counted, ${records} sent`);
  const lostOfThem = rings[0]?.lost ?? 0;
  const isStored = async () => told <= (await saidByLoader(after.atMs)) + lostOfThem;
  await waitFor(`${told} records of what the loader said`, isStored, STORED_MS);
  const lost = sum(own.map((ring) => ring.lost));
  const made = total(warm, 'acts') + total(done, 'acts');
  console.log(`# ${made} acts made, ${acts} seen, ${lost} lost, ${told} told`);
});
test('the kernel has nothing to complain about', async () => {
  assert.doesNotMatch((await run('dmesg', [])).stdout, COMPLAINT);
});
test('the end', () => scene.end());
