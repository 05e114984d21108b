import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { LogError } from '#log';
import { openSqliteStore, type Store } from '#state';
import { dose, seed } from '#testkit';
import { change, commitOf, EVENTS, output, refused } from '../contract/help.ts';
import { Random } from '../contract/random.ts';
import { type Mounted, mountSmall, needsRoot } from './mounts.ts';
import { contentOf } from './store-truth.ts';

const POINTS = dose === 'full' ? 300 : 25;

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Leaves `left` bytes of the file system; returns how to take the ballast away. */
function fill(path: string, left: number): () => void {
  const ballast = join(path, 'ballast');
  writeFileSync(ballast, Buffer.alloc(Math.max(0, freeBytes(path) - left)));
  return () => rmSync(ballast);
}

function large(random: Random, n: number) {
  const value = random.bytes(500 + random.below(3000));
  const outputs = Array.from({ length: 40 }, () => output('', { value }));
  return commitOf({
    outputs,
    state: [change(`key${n % 7}`, `${n}`), change('last', `${n}`, 'host')],
    position: [{ source: 'ring', next: BigInt(n) }],
  });
}

const mounts: Mounted[] = [];
const mounted = (kibibytes: number): Mounted => {
  const mount = mountSmall(kibibytes);
  mounts.push(mount);
  return mount;
};
after(() => {
  for (const mount of mounts) mount.unmount();
});

it(`a full disk takes back the whole commit, at ${POINTS} points of it`, {
  skip: needsRoot,
}, async (t) => {
  t.diagnostic(`WARDEN_SEED=${seed}`);
  const random = new Random(seed);
  const { path } = mounted(65_536);
  const file = join(path, 'log.db');
  let store = openSqliteStore(file);
  let refusals = 0;
  for (let n = 1; n <= POINTS; n++) {
    const commit = large(random, n);
    const before = await contentOf(store, ['ring']);
    const release = fill(path, random.below(160) * 1024);
    const committed = await store.commit(commit).catch((error: unknown) => error);
    if (committed instanceof LogError) {
      refusals += 1;
      assert.equal(committed.code, 'FULL', committed.message);
      assert.equal(committed.retriable, true);
      assert.equal(await contentOf(store, ['ring']), before);
    } else if (committed instanceof Error) throw committed;
    release();
    if (random.below(4) === 0) {
      await store.close();
      store = openSqliteStore(file);
    }
    const end = await store.log.end(EVENTS);
    const { offsets } = await store.commit(commit);
    assert.deepEqual([offsets[0], offsets.at(-1)], [end, end + 39]);
    await bound(store, n);
  }
  t.diagnostic(`${refusals} of ${POINTS} commits refused`);
  assert.ok(refusals > POINTS / 5);
  assert.equal(await store.log.end(EVENTS), (POINTS + POINTS - refusals) * 40);
  await store.close();
});

/** Keeps the log within the file system, as its owner would. */
async function bound(store: Store, n: number): Promise<void> {
  if (n % 10 !== 0) return;
  const next = BigInt(await store.log.end(EVENTS));
  await store.commit(commitOf({ position: [{ source: 'fold', next }] }));
  await store.snapshot('fold');
  await store.trim({ keepSnapshots: 1, maxBytes: 0 });
}

it('a full disk opens and reads what is there; snapshots and trims wait', {
  skip: needsRoot,
}, async () => {
  const { path } = mounted(16_384);
  const file = join(path, 'log.db');
  const store = openSqliteStore(file);
  const state = Array.from({ length: 3000 }, (_, n) => change(`p${n}`, 'x'.repeat(300)));
  await store.commit(commitOf({ outputs: [output('x'), output('y')], state }));
  const before = await contentOf(store, []);
  await store.close();
  const release = fill(path, 300 * 1024);
  const again = openSqliteStore(file);
  assert.equal(await contentOf(again, []), before);
  await refused(again.snapshot('fold'), 'FULL');
  assert.deepEqual(await again.snapshots(), []);
  release();
  await again.snapshot('fold');
  const [snapshot] = await again.snapshots();
  const entries = await again.snapshotEntries(snapshot?.id ?? 0, { limit: 10_000 });
  assert.equal(entries.length, 3000);
  await again.trim({ keepSnapshots: 1, maxBytes: 0 });
  await again.close();
});

it('a full disk says so when there is no room for a new log', { skip: needsRoot }, () => {
  const { path } = mounted(256);
  const release = fill(path, 0);
  const open = () => openSqliteStore(join(path, 'new.db'));
  assert.throws(open, (error) => error instanceof LogError && error.code === 'FULL');
  release();
  void open().close();
});

it('a read-only medium can be read, and answers READ_ONLY to a writer', {
  skip: needsRoot,
}, async () => {
  const mount = mounted(8192);
  const file = join(mount.path, 'log.db');
  const store = openSqliteStore(file);
  await store.commit(commitOf({ outputs: [output('x')], state: [change('a', '1')] }));
  const before = await contentOf(store, []);
  await store.close();
  mount.readOnly();
  const open = () => openSqliteStore(file);
  assert.throws(open, (error) => error instanceof LogError && error.code === 'READ_ONLY');
  const reader = openSqliteStore(file, { readOnly: true });
  assert.equal(await contentOf(reader, []), before);
  await refused(reader.commit(commitOf({ outputs: [output('y')] })), 'READ_ONLY');
  await reader.close();
  const fresh = () => openSqliteStore(join(mount.path, 'new.db'));
  assert.throws(fresh, (error) => error instanceof LogError && error.code === 'CANNOT_OPEN');
});
