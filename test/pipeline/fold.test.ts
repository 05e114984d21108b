import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { encode, incarnation, LANES, type PrincipalKey, schemaOf } from '#event';
import { compareStates, FOLD_POSITION, Fold, historyOf, replay, seal } from '#fold';
import type { LogRecord } from '#log';
import { parsePolicy } from '#policy';
import { openMemoryStore, openSqliteStore, scanAll } from '#state';
import { dose, seed } from '#testkit';
import { decodeState } from '#trust';
import { Lanes } from '../../services/collector/lanes.ts';
import { Bench, eventOf, HOST, KEYS, type Made, made, outputOf, PRINCIPALS } from './live-fold.ts';

const RUNS = dose === 'full' ? 2000 : 40;
const HISTORIES = dose === 'full' ? 1_000_000 : 1000;
const EVENTS = { topic: 'bpf.events', partition: 0 } as const;

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

test('P9: bpf.signals folded again gives the live state to the byte', async () => {
  const items = fc.array(made, { minLength: 1, maxLength: 12 });
  const cuts = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(items, cuts, async (acts, at) => {
      const bench = await Bench.open(async (clock) => openMemoryStore({ clock }));
      for (const [index, item] of acts.entries()) {
        bench.nowMs += item.waitMs;
        await bench.append([eventOf(item, bench.nowMs)]);
        if (item.word !== null) await bench.say(outputOf(item, bench.nowMs));
        if (at[index % at.length] === true) await bench.fold();
      }
      await bench.fold();
      await assertHistories(bench);
    }),
    { numRuns: HISTORIES, seed },
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
