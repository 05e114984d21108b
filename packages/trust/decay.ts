/**
 * Decay in integers, the same bits on every machine: mass x 2^-(age / half-life) by a table of 257
 * constants 2^-(i/256) in Q32 and linear interpolation. Math.pow is not bit-exact across platforms.
 */
const STEPS = 256;
const Q16 = 65_536;

/** Largest mass: 3 x a weight of 100 points, below 2^29. So after 29 half-lives nothing is left. */
export const MASS_MAX = 300_000_000;
export const MASS_HALVINGS = 29;
/** Longest half-life: keeps `rest * 65536` below 2^53. A year has 2^34.9 ms. */
export const HALF_LIFE_MAX_MS = 68_719_476_736;

/** Integer square root, rounded down (Newton). */
function squareRoot(value: bigint): bigint {
  let guess = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** 2^-(i/256) in Q32, rounded to nearest, for i from 0 to 256; made with 320 fraction bits. */
function makeTable(): readonly number[] {
  const bits = 320n;
  let root = 1n << (bits - 1n);
  for (let halving = 1; halving < STEPS; halving *= 2) root = squareRoot(root << bits);
  const half = 1n << (bits - 33n);
  const table: number[] = [];
  let power = 1n << bits;
  for (let step = 0; step <= STEPS; step++) {
    table.push(Number((power + half) >> (bits - 32n)));
    power = (power * root) >> bits;
  }
  return table;
}

export const DECAY_TABLE: readonly number[] = makeTable();

const POWERS: readonly number[] = Array.from({ length: MASS_HALVINGS + 1 }, (_, n) =>
  Number(1n << BigInt(n)),
);

/**
 * What is left of `mass` (integer, 0 to MASS_MAX) after `ageMs`, rounded down. Never grows with
 * age, never shrinks with mass. Error against the exact power: 1e-6 of the mass, plus rounding.
 *
 * Bounds, each below 2^53: rest < 2^36, so rest * 256 < 2^44; its remainder < 2^36, times 2^16 <
 * 2^52; table steps differ by less than 2^24, times 2^16 < 2^40; mass * high <= 2^29 * 2^16.
 */
export function decay(mass: number, ageMs: number, halfLifeMs: number): number {
  if (ageMs <= 0 || mass === 0) return mass;
  const halvings = Math.floor(ageMs / halfLifeMs);
  if (halvings >= MASS_HALVINGS) return 0;
  const scaled = (ageMs - halvings * halfLifeMs) * STEPS;
  const step = Math.floor(scaled / halfLifeMs);
  const within = Math.floor(((scaled - step * halfLifeMs) * Q16) / halfLifeMs);
  const upper = DECAY_TABLE[step] as number;
  const lower = DECAY_TABLE[step + 1] as number;
  const factor = upper - Math.floor(((upper - lower) * within) / Q16);
  // mass * factor / 2^32 in two halves: the whole product would need 61 bits.
  const high = Math.floor(factor / Q16);
  const low = factor - high * Q16;
  const product = Math.floor((mass * high + Math.floor((mass * low) / Q16)) / Q16);
  return Math.floor(product / (POWERS[halvings] as number));
}
