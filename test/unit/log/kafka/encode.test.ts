import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { it } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../../../packages/log/kafka/crc32c.ts';
import {
  encodeProduce,
  kafkajsProduce,
  type ProduceRequest,
} from '../../../../packages/log/kafka/encode.ts';

const require = createRequire(import.meta.url);
const theirCrc = require('kafkajs/src/protocol/recordBatch/crc32C/crc32C') as (
  bytes: Buffer,
) => number;

type Request = Parameters<typeof encodeProduce>[0];

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const message = fc.record({
  key: fc.option(bytes(200)),
  value: fc.option(bytes(9000)),
  headers: fc.oneof(
    fc.constant(Object.freeze({ lane: '17' })),
    fc.dictionary(fc.string({ unit: 'binary', maxLength: 9 }), fc.string({ unit: 'binary' }), {
      maxKeys: 3,
    }),
  ),
});
const part = fc.record({
  partition: fc.nat(63),
  firstSequence: fc.nat(2 ** 31 - 1),
  messages: fc.array(message, { minLength: 1, maxLength: 200 }),
});
const request = fc.record({
  acks: fc.constantFrom(-1, 1),
  timeout: fc.nat(100_000),
  transactionalId: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 })),
  producerId: fc.oneof(fc.constant(-1), fc.maxSafeNat(), fc.constant('9007199254740993')),
  producerEpoch: fc.nat(32_767),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ maxLength: 30 }),
      partitions: fc.array(part, { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
});

/** kafkajs takes the time for each partition anew: with the clock standing still they are equal. */
async function theirs(asked: Request): Promise<Buffer> {
  const made: ProduceRequest = kafkajsProduce(asked);
  return (await made.encode()).buffer;
}

it('a produce request has the bytes that kafkajs gives it', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_768_000_000_123 });
  const isSame = async (asked: Request) => {
    assert.ok(encodeProduce(asked).equals(await theirs(asked)));
  };
  await fc.assert(fc.asyncProperty(request, isSame), { numRuns: 60 });
});

it('long batches, and each width of a varint', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_768_000_000_123 });
  for (const length of [63, 64, 8191, 8192, 300_000]) {
    const one = { key: Buffer.alloc(length), value: Buffer.alloc(3), headers: {} };
    const messages = Array.from({ length: 20 }, () => one);
    const partitions = [{ partition: 1, firstSequence: 0, messages }];
    const asked = { acks: -1, timeout: 1, topicData: [{ topic: 't', partitions }] };
    assert.ok(encodeProduce(asked).equals(await theirs(asked)), `${length}`);
  }
});

it('CRC-32C: the check value of its definition, and kafkajs for any bytes and places', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  const place = fc.record({ array: fc.uint8Array({ maxLength: 300 }), from: fc.nat(40) });
  fc.assert(
    fc.property(place, ({ array, from }) => {
      const start = Math.min(from, array.length);
      assert.equal(crc32c(array, start), theirCrc(Buffer.from(array.subarray(start))));
    }),
  );
});
