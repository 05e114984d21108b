import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type LogRecord, TOPICS, type Topic } from '#log';
import type { Commit, Space, Store } from '#state';
import { dose, seed } from '#testkit';
import { HOSTILE_KEYS } from './help.ts';

export type OpenModelled = (clock: () => number) => Promise<{
  readonly store: Store;
  readonly close: () => Promise<void>;
  /** Closes and opens the same store. */
  readonly reopen: () => Promise<Store>;
}>;

const SPACES: readonly Space[] = ['trust', 'mark', 'due', 'control', 'object', 'host'];
const COPIED: readonly Space[] = ['control', 'due', 'mark', 'trust'];
const ALL = { records: 10_000, bytes: 2 ** 30 };

type Step =
  | { readonly kind: 'commit'; readonly commit: Commit; readonly clockMs: number }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'trim'; readonly keepSnapshots: number; readonly maxBytes: number };

const keys = fc.oneof(
  fc.constantFrom(...HOSTILE_KEYS),
  fc.string({ maxLength: 4, unit: 'binary' }),
);
const lanes = fc.constantFrom(0, 1, 17, 63);
const values = fc.uint8Array({ maxLength: 40 });

const commits: fc.Arbitrary<Commit> = fc.record({
  outputs: fc.array(
    fc.record({ topic: fc.constantFrom(...TOPICS), lane: lanes, key: keys, value: values }),
    { maxLength: 8 },
  ),
  state: fc.array(
    fc.record({
      space: fc.constantFrom(...SPACES),
      lane: lanes,
      key: keys,
      value: fc.option(values),
    }),
    { maxLength: 8 },
  ),
  position: fc.array(
    fc.record({ source: keys, next: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) }),
    { maxLength: 2 },
  ),
});

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('commit' as const),
      commit: commits,
      clockMs: fc.nat(50),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('trim' as const),
      keepSnapshots: fc.integer({ min: 1, max: 2 }),
      maxBytes: fc.nat(120),
    }),
  },
);

/** The contract once more, in the plainest words: arrays and a map. */
class Model {
  readonly logs = new Map<Topic, { start: number; records: LogRecord[] }>();
  readonly state = new Map<string, { space: Space; lane: number; key: string; hex: string }>();
  readonly positions = new Map<string, bigint>();
  snapshots: { next: number; entries: string[] }[] = [];
  private lastMs = 0;

  constructor() {
    for (const topic of TOPICS) this.logs.set(topic, { start: 0, records: [] });
  }

  commit({ outputs, state, position }: Commit, clockMs: number): void {
    const appendedMs = Math.max(this.lastMs, clockMs);
    if (outputs.length > 0) this.lastMs = appendedMs;
    for (const { topic, lane, key, value } of outputs) {
      const log = this.logs.get(topic) as { start: number; records: LogRecord[] };
      const offset = log.start + log.records.length;
      log.records.push({ offset, lane, key, value, appendedMs });
    }
    for (const { space, lane, key, value } of state) {
      const id = JSON.stringify([space, lane, key]);
      if (value === null) this.state.delete(id);
      else this.state.set(id, { space, lane, key, hex: Buffer.from(value).toString('hex') });
    }
    for (const { source, next } of position) this.positions.set(source, next);
  }

  entries(space: Space): string[] {
    return [...this.state.values()]
      .filter((entry) => entry.space === space)
      .sort((a, b) => a.lane - b.lane || (a.key < b.key ? -1 : 1))
      .map(({ lane, key, hex }) => JSON.stringify([lane, key, hex]));
  }

  snapshot(): void {
    const next = Number(this.positions.get('fold') ?? 0n);
    this.snapshots.push({ next, entries: COPIED.flatMap((space) => this.entries(space)) });
  }

  trim(keepSnapshots: number, maxBytes: number): void {
    this.snapshots = this.snapshots.slice(-keepSnapshots);
    for (const [topic, log] of this.logs) {
      const covered = this.snapshots[0]?.next ?? 0;
      const over = () => log.records.reduce((sum, { value }) => sum + value.length, 0) > maxBytes;
      while (log.records.length > 0 && (topic === 'bpf.events' ? log.start < covered : over())) {
        log.records.shift();
        log.start += 1;
      }
    }
  }
}

async function check(store: Store, model: Model): Promise<void> {
  for (const [topic, { start, records }] of model.logs) {
    const source = { topic, partition: 0 };
    assert.equal(await store.log.start(source), start);
    assert.equal(await store.log.end(source), start + records.length);
    assert.deepEqual((await store.log.read(source, start, ALL)).map(plain), records.map(plain));
  }
  for (const space of SPACES) {
    const found = await store.scan(space, { limit: 10_000 });
    assert.deepEqual(found.map(entryText), model.entries(space));
  }
  for (const [source, next] of model.positions) assert.equal(await store.position(source), next);
  const snapshots = await store.snapshots();
  assert.equal(snapshots.length, model.snapshots.length);
  for (const [n, { id, next }] of snapshots.entries()) {
    const expected = model.snapshots[n];
    assert.equal(next, expected?.next);
    const entries = await store.snapshotEntries(id, { limit: 10_000 });
    assert.deepEqual(entries.map(entryText), expected?.entries);
  }
}

function plain({ offset, lane, key, value, appendedMs }: LogRecord) {
  return [offset, lane, key, Buffer.from(value).toString('hex'), appendedMs];
}

function entryText({ lane, key, value }: { lane: number; key: string; value: Uint8Array }): string {
  return JSON.stringify([lane, key, Buffer.from(value).toString('hex')]);
}

/** Random lives of a store beside a model of it. */
export function storeModel(name: string, open: OpenModelled): void {
  describe(`store model: ${name}`, () => {
    it('agrees with a plain model, whatever happens to it', async (t) => {
      const numRuns = dose === 'full' ? 3000 : 60;
      t.diagnostic(`WARDEN_SEED=${seed}`);
      const lives = fc.asyncProperty(fc.array(steps, { maxLength: 25 }), (life) =>
        live(open, life),
      );
      await fc.assert(lives, { numRuns, seed });
    });
  });
}

async function live(open: OpenModelled, life: readonly Step[]): Promise<void> {
  let nowMs = 0;
  const opened = await open(() => nowMs);
  let { store } = opened;
  const model = new Model();
  const foldTo = async (next: number) => {
    const position = { outputs: [], state: [], position: [{ source: 'fold', next: BigInt(next) }] };
    await store.commit(position);
    model.commit(position, nowMs);
  };
  for (const step of life) {
    if (step.kind === 'commit') {
      nowMs = step.clockMs;
      await store.commit(step.commit);
      model.commit(step.commit, nowMs);
    } else if (step.kind === 'reopen') store = await opened.reopen();
    else if (step.kind === 'snapshot') {
      await foldTo(await store.log.end({ topic: 'bpf.events', partition: 0 }));
      await store.snapshot('fold');
      model.snapshot();
    } else {
      await store.trim(step);
      model.trim(step.keepSnapshots, step.maxBytes);
    }
  }
  await check(store, model);
  await opened.close();
}
