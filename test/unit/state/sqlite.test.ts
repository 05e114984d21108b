import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { LogError, rowCrc } from '#log';
import { openSqliteStore, type Store } from '#state';
import { change, commitOf, EVENTS, output, refused } from '../../contract/help.ts';
import { placeFor } from '../log/place.ts';

function edit(file: string, statement: string): unknown[] {
  const handle = new DatabaseSync(file, { returnArrays: true });
  const rows = handle.prepare(statement).all();
  handle.close();
  return rows;
}

function opening(file: string): string {
  try {
    void openSqliteStore(file).close();
    return 'good';
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    return error.code;
  }
}

async function entries(store: Store, id: number): Promise<string[]> {
  const found = await store.snapshotEntries(id, { limit: 100_000 });
  return found.map(({ key, value }) => `${key}=${Buffer.from(value)}`);
}

/** 1,500 principals whose values all name the same generation. */
function generation(n: number) {
  return Array.from({ length: 1500 }, (_, i) => change(`p${i}`, `${n}`, 'trust', i % 64));
}

it('SqliteStore finds damaged state when it opens, also a key that reads as another', async () => {
  const damages = [
    "UPDATE state SET value = CAST('2' AS BLOB)",
    "UPDATE state SET key = 'uid:3@corp'",
    "UPDATE state SET space = 'marl'",
    'UPDATE state SET lane = 5',
    'UPDATE state SET crc = 0',
    'UPDATE position SET next = 8',
    "UPDATE position SET source = 'rinf'",
  ];
  for (const damage of damages) {
    const file = placeFor('state');
    const store = openSqliteStore(file);
    const position = [{ source: 'ring', next: 7n }];
    await store.commit(commitOf({ state: [change('uid:1@corp', '1')], position }));
    await store.close();
    assert.equal(opening(file), 'good');
    edit(file, damage);
    assert.equal(opening(file), 'CORRUPT', damage);
  }
});

it('SqliteStore copies one moment while others commit', async () => {
  const file = placeFor('moment');
  const [store, other] = [openSqliteStore(file), openSqliteStore(file)];
  await store.commit(commitOf({ state: generation(1), position: [{ source: 'fold', next: 11n }] }));
  const taking = store.snapshot('fold');
  for (let n = 2; n < 12; n++) {
    const writer = n % 2 === 0 ? store : other;
    const position = [{ source: 'fold', next: BigInt(10 + n) }];
    await writer.commit(commitOf({ state: generation(n), position }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { id, next } = await taking;
  const values = new Set((await entries(store, id)).map((entry) => entry.split('=')[1]));
  assert.equal(values.size, 1);
  assert.deepEqual(values, new Set([`${next - 10}`]));
  await other.close();
  await store.close();
});

it('SqliteStore hides and sweeps a snapshot that was never finished', async () => {
  const file = placeFor('unfinished');
  const store = openSqliteStore(file);
  await store.commit(commitOf({ state: [change('a', '1')] }));
  const { id } = await store.snapshot('fold');
  const crc = rowCrc('50/0/0/0/0/0');
  edit(file, `INSERT INTO snapshot VALUES (50, 0, 0, 0, 0, 0, ${crc})`);
  edit(file, `INSERT INTO snapshot_entry SELECT 50, space, lane, key, value, crc FROM state`);
  edit(file, `INSERT INTO snapshot_entry SELECT 51, space, lane, key, value, crc FROM state`);
  assert.deepEqual(
    (await store.snapshots()).map((one) => one.id),
    [id],
  );
  await refused(store.snapshotEntries(50, { limit: 1 }), 'BAD_REQUEST');
  await store.trim({ keepSnapshots: 5, maxBytes: 0 });
  assert.deepEqual(edit(file, 'SELECT DISTINCT snapshot FROM snapshot_entry'), [[id]]);
  assert.deepEqual(edit(file, 'SELECT id FROM snapshot'), [[id]]);
  await store.close();
});

it('SqliteStore sees that a snapshot lost an entry', async () => {
  for (const damage of ['DELETE', 'UPDATE snapshot_entry SET crc = 0']) {
    const file = placeFor('lost');
    const store = openSqliteStore(file);
    await store.commit(commitOf({ state: [change('a', '1'), change('b', '2')] }));
    const { id } = await store.snapshot('fold');
    edit(file, `${damage === 'DELETE' ? 'DELETE FROM snapshot_entry' : damage} WHERE key = 'b'`);
    await refused(store.snapshotEntries(id, { limit: 1 }), 'CORRUPT');
    edit(file, 'UPDATE snapshot SET entries = 1');
    await refused(store.snapshots(), 'CORRUPT');
    await store.close();
  }
});

it('SqliteStore gives space back to the file system, a little at a time', async () => {
  const file = placeFor('trim');
  const store = openSqliteStore(file);
  const value = Buffer.alloc(2000, 1);
  for (let n = 0; n < 5; n++) {
    const outputs = Array.from({ length: 1000 }, () => output('', { value }));
    await store.commit(commitOf({ outputs }));
  }
  await store.commit(commitOf({ position: [{ source: 'fold', next: 4990n }] }));
  await store.snapshot('fold');
  const trimming = store.trim({ keepSnapshots: 1, maxBytes: 0 });
  // Readers and writers get their turn between the chunks.
  let turns = 0;
  let done = false;
  const finished = trimming.then(() => {
    done = true;
  });
  while (!done) {
    await store.commit(commitOf({ state: [change('turn', `${turns}`, 'host')] }));
    await new Promise((resolve) => setImmediate(resolve));
    turns += 1;
  }
  await finished;
  assert.deepEqual(await trimming, { records: 4990, bytes: 4990 * 2000 });
  assert.ok(turns >= 5, `${turns} turns`);
  assert.equal(await store.log.start(EVENTS), 4990);
  assert.ok(statSync(file).size < 500_000, `${statSync(file).size} bytes left`);
  assert.equal((await store.size()).freeBytes, 0);
  await store.close();
});

it('SqliteStore follows a writer from a read-only store, which changes nothing', async () => {
  const file = placeFor('reader');
  const store = openSqliteStore(file);
  const reader = openSqliteStore(file, { readOnly: true });
  await store.commit(commitOf({ outputs: [output('x')], state: [change('a', '1')] }));
  assert.equal(await reader.log.end(EVENTS), 1);
  assert.equal(Buffer.from((await reader.get('trust', 0, 'a')) ?? []).toString(), '1');
  await refused(reader.commit(commitOf({})), 'READ_ONLY');
  await refused(reader.snapshot('fold'), 'READ_ONLY');
  await refused(reader.trim({ keepSnapshots: 1, maxBytes: 0 }), 'READ_ONLY');
  await reader.close();
  await store.close();
});
