import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Commit, FoldStore, Space, StateChange, Store } from '#state';
import { ALL, change, commitOf, EVENTS, output, readable, refused, text } from './help.ts';

export function limitContract(fresh: () => Promise<FoldStore>): void {
  it('takes values of 1 MiB and keys of 512, and no more', async () => {
    const store = await fresh();
    const value = Buffer.alloc(1024 * 1024, 7);
    const key = '\uffff'.repeat(512);
    const state: StateChange = { space: 'host', lane: 0, key, value };
    await store.commit(commitOf({ outputs: [output('', { value, key })], state: [state] }));
    assert.deepEqual(Buffer.from((await store.get('host', 0, key)) ?? []), value);
    await readable(store, 0);
    const [record] = await store.log.read(EVENTS, 0, ALL);
    assert.equal(record?.key, key);
    const large = Buffer.alloc(1024 * 1024 + 1);
    const tooLarge: Partial<Commit>[] = [
      { outputs: [output('', { value: large })] },
      { outputs: [output('', { key: `${key}x` })] },
      { state: [{ ...state, value: large }] },
      { state: [{ ...state, key: `${key}x` }] },
      { position: [{ source: `${key}x`, next: 0n }] },
    ];
    for (const part of tooLarge) await refused(store.commit(commitOf(part)), 'TOO_LARGE');
  });

  it('takes 10,000 outputs and 64 MiB a commit, and no more', async () => {
    const store = await fresh();
    const outputs = Array.from({ length: 10_000 }, (_, n) => output(`${n}`));
    const { offsets } = await store.commit(commitOf({ outputs }));
    assert.equal(offsets.at(-1), 9999);
    await readable(store, 9999);
    const read = await store.log.read(EVENTS, 9990, ALL);
    assert.deepEqual(
      read.map(({ value }) => text(value)),
      outputs.slice(9990).map(({ value }) => text(value)),
    );
    await refused(store.commit(commitOf({ outputs: [...outputs, output('')] })), 'TOO_LARGE');
    const value = Buffer.alloc(1024 * 1024);
    const many = Array.from({ length: 65 }, () => output('', { value }));
    await refused(store.commit(commitOf({ outputs: many })), 'TOO_LARGE');
  });

  it('refuses pages and spaces outside the contract', async () => {
    const store = await fresh();
    await refused(store.scan('host', { limit: 0 }), 'BAD_REQUEST');
    await refused(store.scan('nope' as Space, { limit: 1 }), 'BAD_REQUEST');
    await refused(store.get('nope' as Space, 0, ''), 'BAD_REQUEST');
  });
}

export function localLimitContract(fresh: () => Promise<Store>): void {
  it('refuses to keep no snapshot', async () => {
    const store = await fresh();
    await refused(store.trim({ keepSnapshots: 0, maxBytes: 0 }), 'BAD_REQUEST');
  });
}

export function snapshotContract(fresh: () => Promise<Store>): void {
  it('copies the state of the fold as it is now', async () => {
    const store = await fresh();
    const state = [change('p', '1'), change('m', '2', 'mark', 3), change('o', '3', 'object')];
    await store.commit(commitOf({ state, position: [{ source: 'fold', next: 17n }] }));
    const first = await store.snapshot('fold');
    assert.equal(first.next, 17);
    await store.commit(commitOf({ state: [change('p', null)] }));
    const second = await store.snapshot('nobody');
    assert.equal(second.next, 0);
    assert.deepEqual(await store.snapshots(), [first, second]);
    const entries = async (id: number) =>
      (await store.snapshotEntries(id, { limit: 9 })).map(
        ({ space, lane, key, value }) => `${space} ${lane} ${key} ${text(value)}`,
      );
    assert.deepEqual(await entries(first.id), ['mark 3 m 2', 'trust 0 p 1']);
    assert.deepEqual(await entries(second.id), ['mark 3 m 2']);
    await refused(store.snapshotEntries(99, { limit: 1 }), 'BAD_REQUEST');
  });

  it('trims bpf.events behind the oldest snapshot left, never without one', async () => {
    const store = await fresh();
    const outputs = Array.from({ length: 10 }, (_, n) => output(`${n}`));
    await store.commit(commitOf({ outputs }));
    const options = { keepSnapshots: 2, maxBytes: 0 };
    assert.deepEqual(await store.trim(options), { records: 0, bytes: 0 });
    for (const next of [3n, 5n, 8n]) {
      await store.commit(commitOf({ position: [{ source: 'fold', next }] }));
      await store.snapshot('fold');
    }
    assert.deepEqual(await store.trim(options), { records: 5, bytes: 5 });
    assert.deepEqual(
      (await store.snapshots()).map(({ next }) => next),
      [5, 8],
    );
    assert.equal(await store.log.start(EVENTS), 5);
    await refused(store.log.read(EVENTS, 4, ALL), 'TRIMMED');
    const records = await store.log.read(EVENTS, 5, ALL);
    assert.deepEqual(
      records.map(({ offset, value }) => [offset, text(value)]),
      [5, 6, 7, 8, 9].map((n) => [n, `${n}`]),
    );
  });

  it('trims other topics by bytes, oldest first, and goes on counting', async () => {
    const store = await fresh();
    const tiers = { topic: 'bpf.tiers', partition: 0 } as const;
    const outputs = ['aaa', 'bbb', '', 'ccc'].map((value) => output(value, { topic: 'bpf.tiers' }));
    await store.commit(commitOf({ outputs: [...outputs, output('kept')] }));
    assert.deepEqual(await store.trim({ keepSnapshots: 1, maxBytes: 6 }), { records: 1, bytes: 3 });
    assert.deepEqual(await store.trim({ keepSnapshots: 1, maxBytes: 6 }), { records: 0, bytes: 0 });
    assert.deepEqual(await store.trim({ keepSnapshots: 1, maxBytes: 0 }), { records: 3, bytes: 6 });
    assert.equal(await store.log.start(tiers), 4);
    const { offsets } = await store.commit(commitOf({ outputs: [output('d', tiers)] }));
    assert.deepEqual(offsets, [4]);
    assert.equal(await store.log.end(EVENTS), 1);
  });
}

export function listenContract(fresh: () => Promise<FoldStore>): void {
  it('tells of commits until it is told not to', async () => {
    const store = await fresh();
    const calls = { first: 0, second: 0 };
    const stop = store.onCommit(() => {
      calls.first += 1;
    });
    store.onCommit(() => {
      calls.second += 1;
    });
    await store.commit(commitOf({ outputs: [output('x')] }));
    await Promise.resolve();
    assert.ok(calls.first >= 1);
    const before = calls.first;
    stop();
    await store.commit(commitOf({ outputs: [output('x')] }));
    await Promise.resolve();
    assert.equal(calls.first, before);
    assert.ok(calls.second >= 2);
  });
}

export function lifeContract(fresh: () => Promise<Store>): void {
  it('says its size', async () => {
    const store = await fresh();
    const { bytes } = await store.size();
    const value = Buffer.alloc(100_000);
    await store.commit(commitOf({ outputs: [output('', { value })] }));
    assert.ok((await store.size()).bytes >= bytes + 100_000);
  });

  it('answers CLOSED also for its upkeep', async () => {
    const store = await fresh();
    await store.close();
    await refused(store.snapshots(), 'CLOSED');
    await refused(store.snapshot('a'), 'CLOSED');
    await refused(store.trim({ keepSnapshots: 1, maxBytes: 1 }), 'CLOSED');
    await refused(store.size(), 'CLOSED');
  });
}

export function closedContract(fresh: () => Promise<FoldStore>): void {
  it('answers CLOSED when it is', async () => {
    const store = await fresh();
    await store.close();
    await store.close();
    await refused(store.commit(commitOf({ outputs: [output('x')] })), 'CLOSED');
    await refused(store.get('trust', 0, 'a'), 'CLOSED');
    await refused(store.getMany('trust', 0, ['a']), 'CLOSED');
    await refused(store.scan('trust', { limit: 1 }), 'CLOSED');
    await refused(store.position('a'), 'CLOSED');
    await refused(store.log.read(EVENTS, 0, ALL), 'CLOSED');
    await refused(store.log.end(EVENTS), 'CLOSED');
  });
}
