import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOLD_POSITION } from '#fold';
import type { Topic } from '#log';
import { openSqliteStore, type Store } from '#state';
import { tidyUp } from '../../../cli/up/house.ts';

const LIMITS = { snapshotRecords: 1_000_000, logBytes: 32 * 1024 * 1024 };
const FRAME = Buffer.alloc(256 * 1024, 1);

/** Frames of a topic, folded up to the end. */
async function fill(store: Store, topic: Topic, frames: number): Promise<void> {
  for (let i = 0; i < frames; i++) {
    const output = { topic, lane: 0, key: 'k', value: FRAME };
    await store.commit({ outputs: [output], state: [], position: [] });
  }
  const next = BigInt(await store.log.end({ topic: 'bpf.events', partition: 0 }));
  await store.commit({ outputs: [], state: [], position: [{ source: FOLD_POSITION, next }] });
}

const used = async (store: Store) => {
  const { bytes, freeBytes } = await store.size();
  return bytes - freeBytes;
};

test('few records that are large are trimmed before the log is full', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-house-'));
  const store = openSqliteStore(join(directory, 'log.db'), {});
  t.after(() => store.close().then(() => rmSync(directory, { recursive: true })));
  await fill(store, 'bpf.events', 32);
  assert.equal(await tidyUp(store, LIMITS), null, 'a quarter of the bound');
  await fill(store, 'bpf.events', 64);
  await fill(store, 'bpf.enriched', 64);
  assert.ok((await used(store)) > LIMITS.logBytes, 'the bound is reached');
  const trimmed = await tidyUp(store, LIMITS);
  assert.ok(trimmed !== null && trimmed.records >= 96);
  assert.ok((await used(store)) < LIMITS.logBytes / 2);
  assert.equal(await store.log.start({ topic: 'bpf.events', partition: 0 }), 96);
  assert.equal(await tidyUp(store, LIMITS), null, 'nothing came since');
});

test('a log that is large by what was not folded yet loses none of it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-house-'));
  const store = openSqliteStore(join(directory, 'log.db'), {});
  t.after(() => store.close().then(() => rmSync(directory, { recursive: true })));
  await fill(store, 'bpf.events', 0);
  for (let i = 0; i < 128; i++) {
    const output = { topic: 'bpf.events', lane: 0, key: 'k', value: FRAME } as const;
    await store.commit({ outputs: [output], state: [], position: [] });
  }
  await tidyUp(store, LIMITS);
  assert.equal(await store.log.start({ topic: 'bpf.events', partition: 0 }), 0);
});
