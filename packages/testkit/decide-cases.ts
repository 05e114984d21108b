import fc from 'fast-check';
import type { ActNumbers, DecideMasks } from '#policy';

/** Arbitrary cases of the decision, for its two implementations. */
const mask = (bits: number) => fc.bigInt(0n, (1n << BigInt(bits)) - 1n);
/** Mostly full: else nearly every case is refused by its first dimension. */
const mostly = (bits: number) => {
  const all = (1n << BigInt(bits)) - 1n;
  return fc.oneof(
    fc.constant(all),
    mask(bits),
    fc.array(fc.nat(bits - 1)).map((off) => {
      return off.reduce((left, bit) => left & ~(1n << BigInt(bit)), all);
    }),
  );
};
const few = (bits: number) =>
  fc
    .array(fc.nat(bits - 1), { maxLength: 4 })
    .map((on) => on.reduce((set, bit) => set | (1n << BigInt(bit)), 0n));
const number = fc.oneof(fc.nat(130), fc.nat(60), fc.nat(2 ** 31));

/** Bits 1 to 8 of `enforce` are dimensions. */
export const masksArb: fc.Arbitrary<DecideMasks> = fc.record({
  commands: mostly(64),
  programTypes: mostly(64),
  mapTypes: mostly(64),
  attachTypes: mostly(128),
  helpers: mostly(256),
  kfuncs: mostly(256),
  enforce: fc.nat(255).map((bits) => bits << 1),
  foreign: fc.boolean(),
  keyrings: fc.oneof(fc.constant(31), fc.nat(31)),
  serial: fc.nat(3),
});

export const actArb: fc.Arbitrary<ActNumbers> = fc.record({
  command: fc.option(number),
  progType: fc.option(number),
  mapType: fc.option(number),
  attachType: fc.option(number),
  helpers: fc.option(few(256)),
  beyond: fc.boolean(),
  kfuncs: fc.option(few(256)),
  foreign: fc.option(fc.boolean()),
  signer: fc.option(fc.nat(4)),
  serial: fc.nat(3),
});
