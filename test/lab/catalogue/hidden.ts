import type { Attack } from '../types.ts';

const WRITER = 'a program that writes into any process';
/** Many refusals fill a ring; what comes next is to be heard again. */
const DRAIN_MS = 10_000;
const base = { family: 'hidden', expected: 'refused', signingRefuses: true } as const;

/** The forbidden program, brought in where a guard might not look. */
export const hidden: readonly Attack[] = [
  { ...base, name: 'load-plain', gain: WRITER, smoke: true },
  { ...base, name: 'load-int80', gain: `${WRITER}, by the gate of 32-bit calls`, smoke: true },
  { ...base, name: 'load-32bit', gain: `${WRITER}, by a 32-bit task`, smoke: true },
  { ...base, name: 'load-subprogram', gain: `${WRITER}, its call in a subprogram`, smoke: true },
  { ...base, name: 'load-late', gain: `${WRITER}, its call behind 100,000 instructions` },
  {
    ...base,
    name: 'load-toctou',
    gain: `${WRITER}, rewritten while it is looked at`,
    settleMs: DRAIN_MS,
  },
  {
    ...base,
    name: 'load-light-skeleton',
    gain: `${WRITER}, loaded from within a program by a loader that may load programs so`,
    auid: '10021',
    program: 'skeleton',
    smoke: true,
  },
  { ...base, name: 'load-capable-user', gain: `${WRITER}, by a user with capabilities` },
];
