import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { it } from 'node:test';
import fc from 'fast-check';
import { hmacSha256 } from '#chain';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' });

it('hmacSha256 is HMAC-SHA-256 for keys and parts of any length', () => {
  const parts = fc.array(bytes(300), { maxLength: 4 });
  fc.assert(
    fc.property(bytes(200), parts, (key, list) => {
      const expected = createHmac('sha256', key);
      for (const part of list) expected.update(part);
      assert.deepEqual(hmacSha256(key, ...list), expected.digest());
    }),
  );
});

it('long input, and a key that became another one in the same memory', () => {
  const key = Buffer.alloc(32, 1);
  const long = Buffer.alloc(1_000_000, 2);
  for (const byte of [1, 7]) {
    key.fill(byte);
    const expected = createHmac('sha256', key).update(long).digest();
    assert.deepEqual(hmacSha256(key, long), expected);
  }
});
