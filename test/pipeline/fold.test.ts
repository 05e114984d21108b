import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import {
  type Event,
  encode,
  hostName,
  incarnation,
  LANES,
  laneOf,
  type Override,
  type PrincipalKey,
  principalKey,
  schemaOf,
} from '#event';
import { compareStates, type Fault, FOLD_POSITION, Fold, historyOf, replay, seal } from '#fold';
import type { LogRecord, Output } from '#log';
import { defaultPolicy, parsePolicy } from '#policy';
import { openMemoryStore, openSqliteStore, type Store, scanAll } from '#state';
import { dose, seed } from '#testkit';
import { decodeState, TIER_NAMES } from '#trust';
import { Lanes } from '../../services/collector/lanes.ts';
import { Enricher } from '../../services/enricher/index.ts';
import { said } from '../unit/trust/support.ts';

const RUNS = dose === 'full' ? 2000 : 40;
const HOST = hostName('web-1');
const HOST_KEY = Buffer.alloc(32, 7);
const KEYS = {
  hostKeyOf: (name: string) => (name === HOST ? HOST_KEY : null),
  control: Buffer.alloc(32, 9),
};
const START_MS = Date.UTC(2026, 0, 5);
const EVENTS = { topic: 'bpf.events', partition: 0 } as const;

interface Made {
  readonly who: number;
  readonly command: string;
  readonly errno: string | null;
  readonly place: string;
  readonly claimed: boolean;
  readonly count: number;
  readonly skewMs: number;
  readonly waitMs: number;
  /** What an operator or another system says of the same principal, besides. */
  readonly word: string | null;
}

const made: fc.Arbitrary<Made> = fc.record({
  who: fc.nat(5),
  command: fc.constantFrom('PROG_LOAD', 'MAP_CREATE', 'MAP_GET_NEXT_ID', 'OBJ_GET_INFO_BY_FD'),
  errno: fc.constantFrom(null, null, 'EPERM', 'EACCES', 'EINVAL'),
  place: fc.constantFrom('', '', '', 'memfd', 'deleted'),
  claimed: fc.boolean(),
  count: fc.integer({ min: 1, max: 300 }),
  skewMs: fc.integer({ min: -5000, max: 5000 }),
  waitMs: fc.oneof(fc.nat(1000), fc.nat(40 * 3_600_000)),
  word: fc.option(fc.constantFrom('pin', 'pardon', 'adjust', 'observe', 'label', 'risk'), {
    freq: 3,
  }),
});

const PRINCIPALS: readonly PrincipalKey[] = [
  principalKey('uid:0@web-1'),
  principalKey('uid:33@web-1'),
  principalKey('uid:10001@corp'),
  principalKey('cilium@web-1'),
  principalKey('uid:10002@corp'),
  principalKey('host:web-1'),
];

function eventOf(item: Made, nowMs: number): Event {
  return {
    timeUs: (nowMs + item.skewMs) * 1000,
    principal: PRINCIPALS[item.who] as PrincipalKey,
    subject: null,
    loader: {
      name: null,
      path: '/usr/bin/x',
      pathTruncated: false,
      sha256: null,
      device: 1,
      inode: '2',
      ownerUid: 0,
      places: item.place === '' ? [] : [item.place],
    },
    process: {
      pid: 1,
      tid: 1,
      ppid: 1,
      uid: 0,
      euid: 0,
      auid: null,
      auidStatus: item.claimed ? 'claimed' : 'unset',
      session: null,
      comm: 'x',
      cgroup: '/',
      exeLabel: 'call',
      userns: 1,
      initUserns: true,
      capabilities: [],
    },
    act: {
      command: item.command,
      via: 'bpf',
      result: item.errno === null ? 0 : -1,
      errno: item.errno,
      count: item.count,
    },
    program: null,
    map: null,
    link: null,
    path: null,
    verdict: { decision: 'allow', rule: null, enforced: false, mode: 'audit', by: 'subject' },
    details: [],
  };
}

/** An operator's word, or another system's, sealed as they are. */
function outputOf({ who, word, count }: Made, nowMs: number): Output {
  const principal = PRINCIPALS[who] as PrincipalKey;
  const to = { lane: laneOf(principal), key: principal };
  const id = nowMs.toString(16).padStart(16, '0');
  const common = { id, principal, reason: 'a test', timeMs: nowMs };
  if (word === 'risk') {
    const external = { ...common, source: 'idp', permille: 1 + count };
    const value = encode('External', seal('External', external, KEYS.control));
    return { topic: 'bpf.external', value, ...to };
  }
  const override = {
    ...said({ ...common, verb: word as 'pin' }),
    tier: word === 'pin' ? (TIER_NAMES[count % 5] as string) : null,
    permille: word === 'adjust' ? count * 6 : null,
    now: count % 2 === 0,
    untilMs: nowMs + count * 60_000,
    label: 'tp',
  };
  const value = encode('Override', seal('Override', override satisfies Override, KEYS.control));
  return { topic: 'bpf.overrides', value, ...to };
}

/** A store with a clock that the test moves. */
class Bench {
  nowMs = START_MS;
  readonly store: Store;
  private lanes: Lanes | null = null;
  private enricher: Enricher | null = null;

  readonly faults: Fault[] = [];

  private constructor(store: Store) {
    this.store = store;
  }

  static async open(open: (clock: () => number) => Promise<Store>): Promise<Bench> {
    let bench: Bench | null = null;
    bench = new Bench(await open(() => bench?.nowMs ?? START_MS));
    return bench;
  }

  async append(events: readonly Event[]): Promise<void> {
    const life = incarnation('00000000000000aa');
    this.lanes ??= await Lanes.open(this.store, { host: HOST, incarnation: life, key: HOST_KEY });
    const { outputs, state } = this.lanes.seal(events);
    await this.store.commit({ outputs, state, position: [] });
  }

  async say(output: Output): Promise<void> {
    await this.store.commit({ outputs: [output], state: [], position: [] });
  }

  /** As after kill -9: everything but the store is gone. */
  forget(): void {
    this.lanes = null;
    this.enricher = null;
  }

  async fold(policy = defaultPolicy()): Promise<void> {
    this.enricher ??= await Enricher.open({
      store: this.store,
      keys: KEYS,
      policy,
      onFault: (fault) => this.faults.push(fault),
      onOverride: () => undefined,
      now: () => this.nowMs,
    });
    while ((await this.enricher.step()).more);
  }
}

async function scenario(bench: Bench, items: readonly Made[], cuts: readonly boolean[]) {
  for (const [index, item] of items.entries()) {
    bench.nowMs += item.waitMs;
    await bench.append([eventOf(item, bench.nowMs)]);
    if (item.word !== null) await bench.say(outputOf(item, bench.nowMs));
    if (cuts[index % cuts.length] === true) await bench.fold();
    if (index % 7 === 3) bench.forget();
    if (index === Math.floor(items.length / 2)) {
      await bench.fold();
      await bench.store.snapshot(FOLD_POSITION);
    }
  }
  await bench.fold();
}

async function assertReplays({ store, faults }: Bench): Promise<void> {
  assert.deepEqual(faults, []);
  const fresh = await replay(store, { snapshot: null, keys: KEYS });
  assert.deepEqual(await compareStates(store, fresh), []);
  const [snapshot] = await store.snapshots();
  assert.ok(snapshot);
  const later = await replay(store, { snapshot, keys: KEYS });
  assert.deepEqual(await compareStates(store, later), []);
}

/** What `bpf.signals` keeps, but for the memory that only acts without signals leave. */
async function assertHistories({ store }: Bench): Promise<void> {
  let told = 0;
  for await (const { key, value } of scanAll(store, 'trust')) {
    const live = decodeState(value);
    const { history, complete } = await historyOf(store.log, key as PrincipalKey, Infinity);
    assert.equal(complete, true);
    const { tMs, hosts, windows, classes } = live;
    assert.deepEqual({ ...history.state, tMs, hosts, windows, classes }, live);
    told += 1;
  }
  assert.ok(told > 0);
}

test('any cuts into batches, any restarts: a replay gives the same bytes of state', async () => {
  console.log(`seed ${seed}`);
  const items = fc.array(made, { minLength: 5, maxLength: 60 });
  const cuts = fc.array(fc.boolean(), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(items, cuts, async (acts, at) => {
      const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
      await scenario(bench, acts, at);
      await assertReplays(bench);
      await assertHistories(bench);
    }),
    { numRuns: RUNS, seed },
  );
});

test('the same through a real file, with a trim behind the oldest snapshot', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-fold-'));
  try {
    const file = join(directory, 'warden.db');
    const bench = await Bench.open(async (clock) => openSqliteStore(file, { clock }));
    const [items = []] = fc.sample(fc.array(made, { minLength: 200, maxLength: 200 }), { seed });
    await scenario(bench, items, [true, false, false]);
    await bench.store.trim({ keepSnapshots: 1, maxBytes: 1 });
    assert.ok((await bench.store.log.start(EVENTS)) > 0, 'something was trimmed');
    const [snapshot = null] = await bench.store.snapshots();
    const later = await replay(bench.store, { snapshot, keys: KEYS });
    assert.deepEqual(await compareStates(bench.store, later), []);
    await bench.store.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('frames that come twice change nothing', async () => {
  const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
  const [items = []] = fc.sample(fc.array(made, { minLength: 50, maxLength: 50 }), { seed });
  await scenario(bench, items, [true]);
  const before = await replay(bench.store, { snapshot: null, keys: KEYS });
  const end = await bench.store.log.end(EVENTS);
  const limit = { records: 10_000, bytes: 1 << 24 };
  const enriched = await bench.store.log.end({ topic: 'bpf.enriched', partition: 0 });
  const records = await bench.store.log.read(EVENTS, 0, limit);
  const outputs = records.map(({ lane, key, value }) => ({ ...EVENTS, lane, key, value }));
  await bench.store.commit({ outputs, state: [], position: [] });
  await bench.fold();
  assert.ok((await bench.store.log.end(EVENTS)) > end);
  assert.deepEqual(await compareStates(bench.store, before), []);
  assert.equal(await bench.store.log.end({ topic: 'bpf.enriched', partition: 0 }), enriched);
});

test('a policy acts in each lane from its control record on (P10)', async () => {
  const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
  const text = 'version: 1\nmode: observe\nsignals:\n  S07: { weight: 60, half_life: 7d }\n';
  const parsed = parsePolicy(text, 'test');
  assert.ok(parsed.ok);
  const act: Made = {
    who: 0,
    command: 'MAP_CREATE',
    errno: null,
    place: 'memfd',
    claimed: false,
    count: 1,
    skewMs: 0,
    waitMs: 0,
    word: null,
  };
  await bench.fold();
  await bench.append([eventOf(act, bench.nowMs)]);
  await bench.fold();
  bench.forget();
  bench.nowMs += 1000;
  await bench.fold(parsed.policy);
  bench.nowMs += 48 * 3_600_000;
  await bench.append([eventOf(act, bench.nowMs)]);
  await bench.fold(parsed.policy);
  const fresh = await replay(bench.store, { snapshot: null, keys: KEYS });
  assert.deepEqual(await compareStates(bench.store, fresh), []);
  const read = await bench.store.log.read({ topic: 'bpf.signals', partition: 0 }, 0, {
    records: 1000,
    bytes: 1 << 20,
  });
  const kinds = read.map(({ value }) => schemaOf(value));
  assert.equal(kinds.filter((kind) => kind === 'Signal').length, 2, 'one under each policy');
  assert.equal(kinds.filter((kind) => kind === 'Control').length, 2 * LANES);
});

test('what is not authentic is left out and named, and the rest is folded', async () => {
  const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
  const [items = []] = fc.sample(fc.array(made, { minLength: 4, maxLength: 4 }), { seed });
  await bench.fold();
  const acts = items.map((item) => eventOf({ ...item, who: 0 }, bench.nowMs));
  const put = (value: Uint8Array) =>
    bench.store.commit({
      outputs: [{ topic: 'bpf.events', lane: 0, key: '0', value }],
      state: [],
      position: [],
    });
  const control = { id: 'x', lane: 0, kind: 'due', principal: PRINCIPALS[0] ?? null } as const;
  const more = { timeMs: 0, policyHash: null, policy: null, body: null };
  await put(Buffer.from('no record at all'));
  await put(encode('Control', seal('Control', { ...control, ...more }, Buffer.alloc(32, 1))));
  const forged = await Lanes.open(openMemoryStore(), {
    host: HOST,
    incarnation: incarnation('00000000000000bb'),
    key: Buffer.alloc(32, 2),
  });
  const [frame] = forged.seal(acts.slice(0, 1)).outputs;
  await put(frame?.value ?? Buffer.alloc(0));
  await bench.append(acts);
  await bench.fold();
  assert.deepEqual(
    bench.faults.map(({ code }) => code),
    ['NOT_AVRO', 'BAD_MAC', 'BAD_MAC'],
  );
  assert.equal(await bench.store.log.end({ topic: 'bpf.enriched', partition: 0 }), acts.length);
});

test('outputs too are the same, however records are cut into batches', async () => {
  const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
  const other = parsePolicy('version: 1\nmode: observe\nbases: { uid: 90 }\n', 'test');
  assert.ok(other.ok);
  const [items = []] = fc.sample(fc.array(made, { minLength: 30, maxLength: 30 }), { seed });
  for (const item of items) await bench.append([eventOf(item, bench.nowMs)]);
  await bench.fold();
  bench.forget();
  await bench.fold(other.policy);
  const limit = { records: 10_000, bytes: 1 << 24 };
  const records = await bench.store.log.read(EVENTS, 0, limit);
  const whole = await outputsOf([records]);
  assert.deepEqual(await outputsOf(records.map((record) => [record])), whole);
  assert.deepEqual(await outputsOf([records.slice(0, 9), records.slice(9)]), whole);
  assert.ok(
    whole.some((output) => output.startsWith('bpf.tiers')),
    'tiers changed',
  );
});

/** What the fold writes for records in these batches, as text. */
async function outputsOf(batches: readonly (readonly LogRecord[])[]): Promise<string[]> {
  const state = openMemoryStore();
  const folder = new Fold({ state, keys: KEYS });
  const written: string[] = [];
  for (const batch of batches) {
    const folded = await folder.apply(batch);
    await state.commit({ outputs: [], state: folded.state, position: [] });
    folder.committed();
    for (const { topic, key, value } of folded.outputs) {
      written.push(`${topic} ${key} ${Buffer.from(value).toString('base64')}`);
    }
  }
  return written;
}
