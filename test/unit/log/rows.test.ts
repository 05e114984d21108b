import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { keyOfStored, rowCrc, storedKey } from '#log';

/**
 * Any UTF-16, with the places where UTF-8 sorts otherwise more often than chance would have them.
 */
const unit = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0, 0x61, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xe0d8, 0xe0ff, 0xffff),
);
const keys = fc.array(unit, { maxLength: 6 }).map((units) => String.fromCharCode(...units));

it('storedKey leaves ordinary keys readable', () => {
  assert.equal(storedKey('uid:10001@corp'), 'uid:10001@corp');
  assert.equal(storedKey('/sys/fs/bpf/naïve'), '/sys/fs/bpf/naïve');
});

it('storedKey loses nothing, and is always valid UTF-8', () => {
  const property = fc.property(keys, (key) => {
    const stored = storedKey(key);
    assert.ok(stored.isWellFormed());
    assert.equal(keyOfStored(stored), key);
  });
  fc.assert(property, { numRuns: 2000 });
});

it('storedKey sorts as bytes as the keys sort by code unit', () => {
  const property = fc.property(keys, keys, (left, right) => {
    const bytes = Buffer.compare(Buffer.from(storedKey(left)), Buffer.from(storedKey(right)));
    assert.equal(bytes, left === right ? 0 : left < right ? -1 : 1);
  });
  fc.assert(property, { numRuns: 5000 });
});

it('rowCrc is the CRC-32 of fields and value as one', () => {
  assert.equal(rowCrc('123456789'), 0xcbf43926);
  assert.equal(rowCrc('1234', Buffer.from('56789')), 0xcbf43926);
});
