import fc from 'fast-check';
import { dose, seed } from '../../../packages/testkit/dose.ts';

const RUNS = 1_000;
const FULL = 1_000;

console.log(`# WARDEN_SEED=${seed}`);

/** 1,000 runs unless told, a million in the full dose. WARDEN_SEED repeats a run. */
export function check<T>(property: fc.IProperty<T>, runs = RUNS): void {
  fc.assert(property, { seed, numRuns: dose === 'full' ? FULL * runs : runs });
}
