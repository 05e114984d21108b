import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { LogError } from '#log';
import { KafkaLog, type Outgoing, TransactionalWriter } from '#log/kafka';
import { freshFleet, servers } from './servers.ts';

const real = await servers();
after(() => real.stop());

const PLACE = { topic: 'bpf.trust', partition: 0 } as const;
const record = (text: string): Outgoing => ({
  ...PLACE,
  lane: 0,
  key: `trust/0/${text}`,
  value: Buffer.from(text),
});
const isFenced = (error: unknown) => error instanceof LogError && error.code === 'FENCED';

test('to open a transactional id is to fence its owner, before anything is written', async (t) => {
  const { client } = await freshFleet(real, { partitions: 1 });
  const log = new KafkaLog(client);
  const offset = (next: number) => [{ group: 'enricher', ...PLACE, next }];
  // Asked for once, so that the group has a coordinator.
  assert.equal(await log.committed('enricher', PLACE), null);
  const first = await TransactionalWriter.open(client, 'enricher-0');
  await first.commit([record('a')], offset(1));
  const second = await TransactionalWriter.open(client, 'enricher-0');
  // What was committed before is readable now: a record, and the marker behind it.
  assert.equal(await log.end(PLACE), 2);
  t.after(() => Promise.all([first.close(), second.close(), log.close()]));
  // The second knows what is there and has sent nothing yet: the first must not add to it.
  await assert.rejects(first.commit([record('b')], offset(2)), isFenced);
  assert.equal(await log.end(PLACE), 2);
  assert.equal(await log.committed('enricher', PLACE), 1);
  await second.commit([record('c')], offset(3));
  await assert.rejects(first.commit([], offset(4)), isFenced);
  // A commit is answered before its marker is written; whoever opens the id waits for that.
  const third = await TransactionalWriter.open(client, 'enricher-0');
  t.after(() => third.close());
  const { records } = await log.readSparse(PLACE, 0, { records: 10, bytes: 1000 });
  assert.deepEqual(
    records.map(({ value }) => `${value}`),
    ['a', 'c'],
  );
});

test('tiers go first, and offsets are those of the records as they were given', async (t) => {
  const { client } = await freshFleet(real, { partitions: 1 });
  const log = new KafkaLog(client);
  const hosts = new KafkaLog(client, 'uncommitted');
  const tiers = { topic: 'bpf.tiers', partition: 0 } as const;
  const tier = { ...record('tier'), ...tiers };
  const writer = await TransactionalWriter.open(client, 'enricher-0');
  t.after(() => Promise.all([writer.close(), log.close(), hosts.close()]));
  const place = { group: 'enricher', topic: 'bpf.events', partition: 0 } as const;
  const given = [record('a'), tier, record('b'), tier, record('c')];
  const { offsets } = await writer.commit(given, [{ ...place, next: 7 }]);
  assert.deepEqual(offsets, [0, 0, 1, 1, 2]);
  // A transaction that is given up behind its tiers: hosts have seen them, and nobody else.
  const broken = { ...record('d'), partition: 9 };
  await assert.rejects(writer.commit([tier, broken], []), LogError);
  const limit = { records: 10, bytes: 1000 };
  assert.equal((await hosts.readSparse(tiers, 3, limit)).records.length, 1);
  const again = await TransactionalWriter.open(client, 'enricher-0');
  t.after(() => again.close());
  assert.equal((await log.readSparse(tiers, 0, limit)).records.length, 2);
  assert.equal(await log.committed('enricher', place), 7);
});

/** A marker stands behind the last record of each transaction, and is news to nobody. */
test('who waits behind a transaction waits, and is woken by the next record', async (t) => {
  const { client } = await freshFleet(real, { partitions: 1 });
  const writer = await TransactionalWriter.open(client, 'enricher-0');
  t.after(() => writer.close());
  const limit = { records: 10, bytes: 1000 };
  const keepsWaiting = async (log: KafkaLog, from: number, ms: number): Promise<number> => {
    assert.deepEqual((await log.readSparse(PLACE, from, limit)).records, []);
    const fromMs = performance.now();
    await log.awaitMore([{ ...PLACE, from }], ms);
    return performance.now() - fromMs;
  };
  for (const isolation of ['committed', 'uncommitted'] as const) {
    const log = new KafkaLog(client, isolation);
    t.after(() => log.close());
    await writer.commit([record(isolation)], []);
    const from = (await log.end(PLACE)) - 1;
    // It finds the marker.
    await keepsWaiting(log, from, 100);
    for (let turn = 0; turn < 3; turn++) {
      const ms = await keepsWaiting(log, from, 300);
      assert.ok(ms >= 290, `waited ${ms} ms of 300`);
    }
    const woken = keepsWaiting(log, from, 20_000);
    await writer.commit([record('next')], []);
    assert.ok((await woken) < 10_000);
    assert.equal((await log.readSparse(PLACE, from, limit)).records.length, 1);
  }
});
