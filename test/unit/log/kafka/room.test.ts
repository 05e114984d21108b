import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { it } from 'node:test';
import fc from 'fast-check';
import '../../../../packages/log/kafka/room.ts';

interface Encoder {
  readonly buffer: Buffer;
  writeInt32(value: number): Encoder;
  writeBuffer(bytes: Buffer): Encoder;
  writeEncoder(encoder: Encoder): Encoder;
}

const require = createRequire(import.meta.url);
const Theirs = require('kafkajs/src/protocol/encoder') as new () => Encoder;

it("kafkajs's encoder holds just what was written to it, however large", () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 });
  fc.assert(
    fc.property(parts, (arrays) => {
      const inner = new Theirs();
      const wanted: Buffer[] = [];
      for (const [n, array] of arrays.entries()) {
        const [head, bytes] = [Buffer.alloc(4), Buffer.from(array)];
        head.writeInt32BE(n);
        wanted.push(head, bytes);
        inner.writeInt32(n).writeBuffer(bytes);
      }
      const whole = Buffer.concat(wanted);
      assert.ok(inner.buffer.equals(whole));
      const outer = new Theirs().writeInt32(7).writeEncoder(inner).buffer;
      assert.ok(outer.subarray(4).equals(whole));
    }),
  );
});
