import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Member, share } from '#log/kafka';
import { seed } from '#testkit';

const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 9,
});

/** Members after some life of the group: what they own may overlap, or be too much. */
const members: fc.Arbitrary<Member[]> = ids.chain((names) =>
  fc.tuple(...names.map((id) => fc.record({ id: fc.constant(id), owned: fc.array(fc.nat(63)) }))),
);

test('every partition has one owner, and nobody has two more than another', () => {
  fc.assert(
    fc.property(members, fc.constantFrom(1, 2, 4, 16, 64), (group, partitions) => {
      const shares = [...share(group, partitions).values()];
      const all = shares.flat().sort((a, b) => a - b);
      assert.deepEqual(
        all,
        Array.from({ length: partitions }, (_, n) => n),
      );
      const sizes = shares.map(({ length }) => length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
    { seed },
  );
});

test('nothing moves when nobody comes or goes', () => {
  fc.assert(
    fc.property(ids, fc.constantFrom(4, 16, 64), (names, partitions) => {
      const first = share(
        names.map((id) => ({ id, owned: [] })),
        partitions,
      );
      const again = share(
        names.map((id) => ({ id, owned: first.get(id) ?? [] })),
        partitions,
      );
      for (const [id, own] of first) assert.deepEqual(again.get(id)?.toSorted(), own.toSorted());
    }),
    { seed },
  );
});

test('a newcomer takes only its share, and a leaver gives only its own', () => {
  const three = ['a', 'b', 'c'].map((id) => ({ id, owned: [] as number[] }));
  const before = share(three, 16);
  const grown = share(
    [...three.map(({ id }) => ({ id, owned: before.get(id) ?? [] })), { id: 'd', owned: [] }],
    16,
  );
  const moved = [...before].flatMap(([id, own]) => own.filter((p) => !grown.get(id)?.includes(p)));
  assert.equal(moved.length, 4);
  const left = ['a', 'b'].map((id) => ({ id, owned: before.get(id) ?? [] }));
  const shrunk = share(left, 16);
  for (const { id, owned } of left) for (const p of owned) assert.ok(shrunk.get(id)?.includes(p));
});
