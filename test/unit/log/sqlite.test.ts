import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { type LogError, type LogErrorCode, rowCrc } from '#log';
import { openSqliteStore, type Store } from '#state';
import { ALL, commitOf, EVENTS, output, refused } from '../../contract/help.ts';
import { placeFor } from './place.ts';

function edit(file: string, statement: string): void {
  const handle = new DatabaseSync(file);
  handle.exec(statement);
  handle.close();
}

async function filled(file: string): Promise<Store> {
  const store = openSqliteStore(file);
  const outputs = ['a', 'b', 'c', 'd'].map((value) => output(value));
  await store.commit(commitOf({ outputs }));
  return store;
}

function opening(file: string): LogErrorCode | null {
  try {
    void openSqliteStore(file).close();
    return null;
  } catch (error) {
    return (error as LogError).code;
  }
}

const damages = [
  "UPDATE log_events SET value = CAST('x' AS BLOB) WHERE offset = 2",
  'UPDATE log_events SET lane = lane + 1 WHERE offset = 2',
  "UPDATE log_events SET key = 'other' WHERE offset = 2",
  'UPDATE log_events SET appended_ms = 0 WHERE offset = 2',
  'UPDATE log_events SET crc = crc + 1 WHERE offset = 2',
  'UPDATE log_events SET offset = 7 WHERE offset = 2',
  'DELETE FROM log_events WHERE offset = 2',
];
for (const damage of damages) {
  it(`SqliteLog gives what lies before a damaged record, then names it: ${damage}`, async () => {
    const file = placeFor('damage');
    const store = await filled(file);
    edit(file, damage);
    assert.equal((await store.log.read(EVENTS, 0, ALL)).length, 2);
    const error = await refused(store.log.read(EVENTS, 2, ALL), 'CORRUPT');
    assert.equal(error.offset, 2);
    assert.match(error.message, /record 2 of bpf\.events/);
    const after = await store.log.read(EVENTS, 3, ALL);
    assert.equal(after[0]?.offset, 3);
    await store.close();
  });
}

it('SqliteLog sees at the start that its ends are not those it wrote', async () => {
  const damaged = [
    'DELETE FROM log_events WHERE offset = 3',
    'DELETE FROM log_events WHERE offset = 0',
    'DELETE FROM log_events',
    "UPDATE topic SET next = 5 WHERE name = 'bpf.events'",
    "UPDATE topic SET name = 'bpf.event5' WHERE name = 'bpf.events'",
    "DELETE FROM topic WHERE name = 'bpf.tiers'",
  ];
  for (const statement of damaged) {
    const file = placeFor('ends');
    await (await filled(file)).close();
    assert.equal(opening(file), null);
    edit(file, statement);
    assert.equal(opening(file), 'CORRUPT', statement);
  }
});

it('SqliteLog does not hide a missing tail behind an empty answer', async () => {
  const file = placeFor('tail');
  const store = await filled(file);
  edit(file, 'DELETE FROM log_events WHERE offset >= 2');
  const error = await refused(store.log.read(EVENTS, 2, ALL), 'CORRUPT');
  assert.equal(error.offset, 2);
  await store.close();
});

it('SqliteLog cannot tell an edit with a right CRC: that is what the chain is for', async () => {
  const file = placeFor('forged');
  const store = await filled(file);
  const [record] = await store.log.read(EVENTS, 1, { records: 1, bytes: 0 });
  const crc = rowCrc(`1/0/${record?.appendedMs}/k`, Buffer.from('X'));
  edit(file, `UPDATE log_events SET value = CAST('X' AS BLOB), crc = ${crc} WHERE offset = 1`);
  const [forged] = await store.log.read(EVENTS, 1, { records: 1, bytes: 0 });
  assert.equal(Buffer.from(forged?.value ?? []).toString(), 'X');
  await store.close();
});

it('SqliteLog goes on counting where another connection stopped', async () => {
  const file = placeFor('two');
  const [a, b] = [openSqliteStore(file), openSqliteStore(file)];
  const offsets: number[] = [];
  for (const store of [a, b, b, a]) {
    offsets.push(...(await store.commit(commitOf({ outputs: [output('x')] }))).offsets);
  }
  assert.deepEqual(offsets, [0, 1, 2, 3]);
  await a.close();
  await b.close();
});

it('SqliteLog keeps time from going back across connections and restarts', async () => {
  const file = placeFor('time');
  const early = openSqliteStore(file, { clock: () => 9000 });
  await early.commit(commitOf({ outputs: [output('x', { topic: 'bpf.tiers' })] }));
  await early.close();
  const late = openSqliteStore(file, { clock: () => 10 });
  const { appendedMs } = await late.commit(commitOf({ outputs: [output('x')] }));
  assert.equal(appendedMs, 9000);
  await late.close();
});
