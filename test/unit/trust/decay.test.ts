import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DECAY_TABLE, decay, HALF_LIFE_MAX_MS, MASS_MAX } from '../../../packages/trust/decay.ts';
import { DAY_MS } from '../../../packages/trust/time.ts';
import { check } from './property.ts';

const mass = fc.integer({ min: 0, max: MASS_MAX });
const halfLife = fc.oneof(
  fc.integer({ min: 1, max: HALF_LIFE_MAX_MS }),
  fc.constantFrom(1, 1, 3, 7, 14, 30).map((days) => days * DAY_MS),
);
const age = fc.oneof(
  fc.integer({ min: 0, max: 60 * DAY_MS }),
  fc.integer({ min: 0, max: 30 * HALF_LIFE_MAX_MS }),
);

test('each constant is 2^(32 - i/256) to the nearest integer, by exact powers', () => {
  assert.equal(DECAY_TABLE.length, 257);
  for (const [i, constant] of DECAY_TABLE.entries()) {
    // v - 1/2 <= 2^(32 - i/256) < v + 1/2, all to the power of 256 and times 2^256.
    const twice = 2n * BigInt(constant);
    const exact = 2n ** BigInt(256 + 32 * 256 - i);
    assert.ok((twice - 1n) ** 256n <= exact, `constant ${i} is too large`);
    assert.ok(exact < (twice + 1n) ** 256n, `constant ${i} is too small`);
  }
});

test('decay is within 1e-4 point of the exact power over 60 days, for 100 points', () => {
  for (const halfLifeMs of [DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 14 * DAY_MS, 30 * DAY_MS]) {
    for (let ageMs = 0; ageMs < 60 * DAY_MS; ageMs += 7_777_777) {
      const exact = 100_000_000 * 2 ** -(ageMs / halfLifeMs);
      const found = decay(100_000_000, ageMs, halfLifeMs);
      assert.ok(Math.abs(found - exact) < 100, `${ageMs} ms of ${halfLifeMs}: ${found - exact}`);
    }
  }
});

test('a half-life halves, and after 29 nothing is left of the largest mass', () => {
  assert.equal(decay(80_000_000, 30 * DAY_MS, 30 * DAY_MS), 40_000_000);
  assert.equal(decay(80_000_000, 60 * DAY_MS, 30 * DAY_MS), 20_000_000);
  assert.equal(decay(MASS_MAX, 28 * DAY_MS, DAY_MS), 1);
  assert.equal(decay(MASS_MAX, 29 * DAY_MS, DAY_MS), 0);
  assert.equal(decay(MASS_MAX, Number.MAX_SAFE_INTEGER, 1), 0);
});

test('decay is an integer between 0 and the mass, and never grows with time', () => {
  check(
    fc.property(mass, age, fc.nat(10 * DAY_MS), halfLife, (m, a, more, h) => {
      const now = decay(m, a, h);
      assert.ok(Number.isSafeInteger(now) && now >= 0 && now <= m);
      assert.ok(decay(m, a + more, h) <= now);
      assert.ok(decay(m, a + 1, h) <= now);
    }),
  );
});

test('more mass never leaves less', () => {
  check(
    fc.property(mass, mass, age, halfLife, (m, n, a, h) => {
      assert.ok(decay(Math.min(m, n), a, h) <= decay(Math.max(m, n), a, h));
    }),
  );
});

test('every product stays below 2^53: the same by BigInt', () => {
  const exact = (m: number, a: number, h: number): number => {
    const [age, life] = [BigInt(a), BigInt(h)];
    const halvings = age / life;
    if (halvings >= 29n) return 0;
    const scaled = (age % life) * 256n;
    const within = ((scaled % life) * 65536n) / life;
    const upper = BigInt(DECAY_TABLE[Number(scaled / life)] as number);
    const lower = BigInt(DECAY_TABLE[Number(scaled / life) + 1] as number);
    const factor = upper - ((upper - lower) * within) / 65536n;
    return Number((BigInt(m) * factor) >> (32n + halvings));
  };
  check(
    fc.property(mass, age, halfLife, (m, a, h) => assert.equal(decay(m, a, h), exact(m, a, h))),
  );
});
