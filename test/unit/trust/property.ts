import fc from 'fast-check';

/** 1,000 runs in the gate, more for the long dose. WARDEN_SEED repeats a run. */
const RUNS = process.env.WARDEN_DOSE === 'full' ? 20_000 : 1_000;
const given = process.env.WARDEN_SEED;
const SEED = given === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(given);

console.log(`# WARDEN_SEED=${SEED}, ${RUNS} runs a property`);

export function check<T>(property: fc.IProperty<T>, runs = RUNS): void {
  fc.assert(property, { seed: SEED, numRuns: runs });
}
