import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError } from '#log';
import { extentOf, recordsOf } from '../../../cli/fleet/topic.ts';

const record = (offset: number) => ({ offset, key: '', value: null, lane: 0 }) as never;

/** Brokers that answer a read from each offset with records up to `next`. */
function brokers(answers: Readonly<Record<number, number>>) {
  const reads: number[] = [];
  const readSparse = async (_: unknown, from: number) => {
    reads.push(from);
    const next = answers[from] ?? from;
    return { records: Array.from({ length: next - from }, (_, n) => record(from + n)), next };
  };
  return { reads, readSparse, start: async () => 2, end: async () => 6 } as never as {
    reads: number[];
    readSparse: Parameters<typeof recordsOf>[0]['readSparse'];
    start: Parameters<typeof extentOf>[0]['start'];
    end: Parameters<typeof extentOf>[0]['end'];
  };
}

async function offsets(log: ReturnType<typeof brokers>): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset } of recordsOf(log, await extentOf(log, 'bpf.events', 1))) {
    found.push(offset);
  }
  return found;
}

test('a partition from its start to the end that it had', async () => {
  const log = brokers({ 2: 4, 4: 9 });
  assert.deepEqual(await offsets(log), [2, 3, 4, 5]);
  assert.deepEqual(log.reads, [2, 4]);
});

test('a read that stands still before the end is an error, and is tried a few times', async () => {
  const log = brokers({ 2: 4 });
  await assert.rejects(offsets(log), (error) => {
    assert.ok(error instanceof LogError && error.code === 'UNREACHABLE' && error.retriable);
    assert.match(error.message, /bpf\.events\/1: nothing comes from 4 on, and its end is 6/);
    return true;
  });
  assert.deepEqual(log.reads, [2, 4, 4, 4, 4, 4]);
});
