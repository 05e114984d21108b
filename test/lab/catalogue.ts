import type { Attack } from './types.ts';

/** Every attack: what it gains, and what is expected of the guard. */
export const CATALOGUE: readonly Attack[] = [
  {
    name: 'load-plain',
    family: 'hidden',
    gain: 'a program that writes into other processes',
    expected: 'refused',
    signingRefuses: true,
    smoke: true,
  },
];
