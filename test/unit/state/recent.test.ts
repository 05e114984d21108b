import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Recent } from '#state';

test('it has the last entries that were set, as they were set last, and not twice as many', () => {
  const keys = fc.array(fc.nat(20), { maxLength: 100 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), keys, (count, list) => {
      const recent = new Recent<number>(count);
      const last = new Map<string, number>();
      for (const [n, key] of list.entries()) {
        recent.set(`${key}`, n);
        last.delete(`${key}`);
        last.set(`${key}`, n);
      }
      for (const [key, n] of [...last].slice(-count)) assert.equal(recent.get(key), n);
      const kept = [...last].filter(([key]) => recent.get(key) !== undefined);
      assert.ok(kept.length <= 2 * count);
      for (const [key, n] of kept) assert.equal(recent.get(key), n);
      recent.clear();
      for (const key of last.keys()) assert.equal(recent.get(key), undefined);
    }),
  );
});
