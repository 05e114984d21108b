import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { TOPICS, type Topic } from '#log';
import type { Commit, FoldStore, Space, StateChange, Store } from '#state';
import {
  ALL,
  change,
  commitOf,
  EVENTS,
  HOSTILE_KEYS,
  type Opened,
  type OpenedFold,
  type OpenFoldStore,
  type OpenStore,
  output,
  readable,
  refused,
  text,
} from './help.ts';
import {
  closedContract,
  lifeContract,
  limitContract,
  listenContract,
  localLimitContract,
  snapshotContract,
} from './store-upkeep.contract.ts';

/** What every store of a fold must do, wherever it lies. */
export function foldStoreContract(name: string, open: OpenFoldStore): void {
  const opened: OpenedFold[] = [];
  const fresh = async (): Promise<FoldStore> => {
    const one = await open();
    opened.push(one);
    return one.store;
  };

  describe(`fold store contract: ${name}`, () => {
    after(async () => {
      for (const { close } of opened) await close();
    });
    describe('log', () => logContract(fresh));
    describe('state', () => stateContract(fresh));
    describe('order', () => orderContract(fresh));
    describe('limits', () => limitContract(fresh));
    describe('life', () => {
      listenContract(fresh);
      closedContract(fresh);
    });
  });
}

/** What every store must do that keeps its log itself, whatever it is made of. */
export function storeContract(name: string, open: OpenStore): void {
  let nowMs = 1_000_000;
  const opened: Opened[] = [];
  const fresh = async (): Promise<Store> => {
    const one = await open(() => nowMs);
    opened.push(one);
    return one.store;
  };

  describe(`store contract: ${name}`, () => {
    after(async () => {
      for (const { close } of opened) await close();
    });
    describe('log', () => {
      logContract(fresh);
      denseContract(fresh);
    });
    describe('time', () => {
      it('never goes back, and stays when the clock does', async () => {
        const store = await fresh();
        const at = async (clockMs: number, topic: Topic = 'bpf.events') => {
          nowMs = clockMs;
          return (await store.commit(commitOf({ outputs: [output('x', { topic })] }))).appendedMs;
        };
        assert.equal(await at(5000), 5000);
        assert.equal(await at(4000, 'bpf.tiers'), 5000);
        assert.equal(await at(5001.9), 5001);
        const records = await store.log.read(EVENTS, 0, ALL);
        assert.deepEqual(
          records.map(({ appendedMs }) => appendedMs),
          [5000, 5001],
        );
      });
    });
    describe('state', () => stateContract(fresh));
    describe('order', () => {
      orderContract(fresh);
      snapshotOrderContract(fresh);
    });
    describe('limits', () => {
      limitContract(fresh);
      localLimitContract(fresh);
    });
    describe('snapshots', () => snapshotContract(fresh));
    describe('life', () => {
      listenContract(fresh);
      closedContract(fresh);
      lifeContract(fresh);
    });
  });
}

function denseContract(fresh: () => Promise<Store>): void {
  it('gives dense offsets from 0, a count for each topic', async () => {
    const store = await fresh();
    const outputs = TOPICS.flatMap((topic) => [output('1', { topic }), output('2', { topic })]);
    const { offsets } = await store.commit(commitOf({ outputs }));
    const dense = TOPICS.flatMap(() => [0, 1]);
    assert.deepEqual(offsets, dense);
    const again = await store.commit(commitOf({ outputs: [output('3'), output('4')] }));
    assert.deepEqual(again.offsets, [2, 3]);
    assert.equal(await store.log.start(EVENTS), 0);
    assert.equal(await store.log.end(EVENTS), 4);
    assert.equal(await store.log.partitions('bpf.events'), 1);
    await refused(store.log.partitions('bpf.dlq' as Topic), 'BAD_REQUEST');
  });
}

function logContract(fresh: () => Promise<FoldStore>): void {
  it('gives growing offsets, a count for each topic', async () => {
    const store = await fresh();
    const outputs = TOPICS.flatMap((topic) => [output('1', { topic }), output('2', { topic })]);
    const { offsets } = await store.commit(commitOf({ outputs }));
    assert.deepEqual(
      offsets,
      TOPICS.flatMap(() => [0, 1]),
    );
    const again = await store.commit(commitOf({ outputs: [output('3'), output('4')] }));
    const [third = 0, fourth = 0] = again.offsets;
    await readable(store, fourth);
    assert.ok(third >= 2);
    assert.equal(fourth, third + 1);
    assert.equal(await store.log.start(EVENTS), 0);
    assert.ok((await store.log.end(EVENTS)) > fourth);
    const records = await store.log.read(EVENTS, 0, ALL);
    assert.deepEqual(
      records.map(({ offset, value }) => [offset, text(value)]),
      [
        [0, '1'],
        [1, '2'],
        [third, '3'],
        [fourth, '4'],
      ],
    );
    const [from3] = await store.log.read(EVENTS, 2, ALL);
    assert.equal(from3?.offset, third, 'an offset that no record has is where reading goes on');
    assert.deepEqual(await store.log.read(EVENTS, await store.log.end(EVENTS), ALL), []);
  });

  it('reads back what was committed', async () => {
    const store = await fresh();
    const value = Buffer.from([0, 255, 195, 1]);
    const outputs = HOSTILE_KEYS.map((key, n) => output('', { key, lane: n % 64, value }));
    const { offsets } = await store.commit(commitOf({ outputs }));
    await readable(store, offsets.at(-1) ?? 0);
    const records = await store.log.read(EVENTS, 0, ALL);
    assert.deepEqual(
      records.map(({ offset, lane, key, value: read }) => [offset, lane, key, [...read]]),
      outputs.map(({ lane, key }, n) => [n, lane, key, [0, 255, 195, 1]]),
    );
  });

  limitedReadContract(fresh);

  it('keeps its own copy of values', async () => {
    const store = await fresh();
    const value = Buffer.from('mine');
    const entry: StateChange = { space: 'trust', lane: 0, key: 'k', value };
    await store.commit(commitOf({ outputs: [output('', { value })], state: [entry] }));
    value.fill(0);
    await readable(store, 0);
    const [record] = await store.log.read(EVENTS, 0, ALL);
    record?.value.fill(1);
    (await store.get('trust', 0, 'k'))?.fill(1);
    (await store.scan('trust', { limit: 1 }))[0]?.value.fill(1);
    const [again] = await store.log.read(EVENTS, 0, ALL);
    assert.equal(text(again?.value ?? null), 'mine');
    assert.equal(text(await store.get('trust', 0, 'k')), 'mine');
  });
}

function limitedReadContract(fresh: () => Promise<FoldStore>): void {
  it('holds to the limits of a read, but gives one record where there is one', async () => {
    const store = await fresh();
    const outputs = ['aaaa', 'bbbb', 'cccc', ''].map((value) => output(value));
    const { offsets } = await store.commit(commitOf({ outputs }));
    await readable(store, offsets.at(-1) ?? 0);
    const read = async (from: number, records: number, bytes: number) =>
      (await store.log.read(EVENTS, from, { records, bytes })).map(({ value }) => text(value));
    assert.deepEqual(await read(0, 2, 1000), ['aaaa', 'bbbb']);
    assert.deepEqual(await read(1, 10, 1000), ['bbbb', 'cccc', '']);
    assert.deepEqual(await read(0, 10, 8), ['aaaa', 'bbbb']);
    assert.deepEqual(await read(0, 10, 7), ['aaaa']);
    assert.deepEqual(await read(0, 10, 0), ['aaaa']);
    assert.deepEqual(await read(3, 10, 0), ['']);
    assert.deepEqual(await read(4, 10, 1000), []);
  });

  it('refuses offsets beyond the end and arguments outside the contract', async () => {
    const { log } = await fresh();
    await refused(log.read(EVENTS, 1, ALL), 'BEYOND_END');
    for (const from of [-1, 0.5, Number.NaN])
      await refused(log.read(EVENTS, from, ALL), 'BAD_REQUEST');
    await refused(log.read(EVENTS, 0, { records: 0, bytes: 1 }), 'BAD_REQUEST');
    await refused(log.read({ ...EVENTS, partition: 1 }, 0, ALL), 'BAD_REQUEST');
    const unknown = { topic: '__proto__' as Topic, partition: 0 };
    await refused(log.end(unknown), 'BAD_REQUEST');
    await refused(log.start(unknown), 'BAD_REQUEST');
  });
}

function stateContract(fresh: () => Promise<FoldStore>): void {
  it('sets, replaces and deletes, the last change of a key winning', async () => {
    const store = await fresh();
    const state = [change('a', '1'), change('b', '2'), change('a', '3'), change('c', null)];
    await store.commit(commitOf({ state }));
    assert.equal(text(await store.get('trust', 0, 'a')), '3');
    assert.equal(text(await store.get('trust', 0, 'c')), null);
    assert.equal(await store.get('trust', 1, 'a'), null);
    assert.equal(await store.get('mark', 0, 'a'), null);
    await store.commit(
      commitOf({ state: [change('a', null), change('b', ''), change('a', null)] }),
    );
    assert.equal(await store.get('trust', 0, 'a'), null);
    assert.equal(text(await store.get('trust', 0, 'b')), '');
  });

  it('answers many keys in the order asked', async () => {
    const store = await fresh();
    await store.commit(commitOf({ state: [change('a', '1'), change('b', '2')] }));
    const values = await store.getMany('trust', 0, ['b', 'x', 'a', 'b']);
    assert.deepEqual(values.map(text), ['2', null, '1', '2']);
    assert.deepEqual(await store.getMany('trust', 0, []), []);
  });

  it('keeps positions as 63-bit numbers', async () => {
    const store = await fresh();
    const max = 2n ** 63n - 1n;
    assert.equal(await store.position('ring'), null);
    await store.commit(commitOf({ position: [{ source: 'ring', next: max }] }));
    assert.equal(await store.position('ring'), max);
    const position = [
      { source: 'ring', next: 1n },
      { source: 'ring', next: 0n },
      { source: '__proto__', next: 7n },
    ];
    await store.commit(commitOf({ position }));
    assert.equal(await store.position('ring'), 0n);
    assert.equal(await store.position('__proto__'), 7n);
  });

  it('changes nothing at all when one part is refused', async () => {
    const store = await fresh();
    const good = commitOf({
      outputs: [output('x')],
      state: [change('a', '1')],
      position: [{ source: 'ring', next: 5n }],
    });
    const bad: Partial<Commit>[] = [
      { outputs: [output('x'), output('y', { topic: 'nope' as Topic })] },
      { outputs: [output('x'), output('y', { lane: 64 })] },
      { state: [change('a', '1'), change('b', '2', 'nope' as Space)] },
      { state: [change('a', '1'), change('b', '2', 'trust', -1)] },
      { position: [{ source: 'ring', next: -1n }] },
      { position: [{ source: 'ring', next: 2n ** 63n }] },
    ];
    for (const part of bad) await refused(store.commit({ ...good, ...part }), 'BAD_REQUEST');
    assert.equal(await store.log.end(EVENTS), 0);
    assert.equal(await store.get('trust', 0, 'a'), null);
    assert.equal(await store.position('ring'), null);
    assert.deepEqual((await store.commit(good)).offsets, [0]);
  });
}

function orderContract(fresh: () => Promise<FoldStore>): void {
  it('scans by lane, then key by code unit, in pages', async () => {
    const store = await fresh();
    const state = [63, 0, 7].flatMap((lane) =>
      HOSTILE_KEYS.toReversed().map((key) => change(key, key, 'object', lane)),
    );
    await store.commit(commitOf({ state: [...state, change('z', 'z', 'host', 0)] }));
    const expected = [0, 7, 63].flatMap((lane) => HOSTILE_KEYS.map((key) => ({ lane, key })));
    for (const limit of [1, 7, 100]) {
      const found: { lane: number; key: string }[] = [];
      for (;;) {
        const after = found.at(-1);
        const page = await store.scan('object', { limit, ...(after && { after }) });
        if (page.length === 0) break;
        assert.ok(page.length <= limit);
        found.push(...page.map(({ lane, key }) => ({ lane, key })));
      }
      assert.deepEqual(found, expected);
    }
  });

  it('scans one lane, from any place', async () => {
    const store = await fresh();
    const state = [1, 2, 3].flatMap((lane) =>
      ['', 'b'].map((key) => change(key, key, 'due', lane)),
    );
    await store.commit(commitOf({ state }));
    const scan = async (lane: number, after?: { lane: number; key: string }) =>
      (await store.scan('due', { lane, limit: 9, ...(after && { after }) })).map(
        (entry) => `${entry.lane}${entry.key}`,
      );
    assert.deepEqual(await scan(2), ['2', '2b']);
    assert.deepEqual(await scan(2, { lane: 2, key: '' }), ['2b']);
    assert.deepEqual(await scan(2, { lane: 1, key: 'x' }), ['2', '2b']);
    assert.deepEqual(await scan(2, { lane: 3, key: '' }), []);
    assert.deepEqual(await scan(4), []);
  });
}

function snapshotOrderContract(fresh: () => Promise<Store>): void {
  it('orders snapshot entries by space, then as a scan', async () => {
    const store = await fresh();
    const spaces: Space[] = ['trust', 'control', 'mark', 'due'];
    const state = spaces.flatMap((space) => HOSTILE_KEYS.map((key) => change(key, key, space, 5)));
    await store.commit(commitOf({ state }));
    const { id } = await store.snapshot('fold');
    const found: { space: Space; lane: number; key: string }[] = [];
    for (;;) {
      const after = found.at(-1);
      const page = await store.snapshotEntries(id, { limit: 11, ...(after && { after }) });
      if (page.length === 0) break;
      found.push(...page.map(({ space, lane, key }) => ({ space, lane, key })));
    }
    const sorted = spaces.toSorted();
    const expected = sorted.flatMap((space) =>
      HOSTILE_KEYS.map((key) => ({ space, lane: 5, key })),
    );
    assert.deepEqual(found, expected);
  });
}
