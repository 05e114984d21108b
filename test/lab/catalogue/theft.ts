import type { Attack } from '../types.ts';

const base = { family: 'theft', expected: 'refused', fixture: 'agent' } as const;

/** What others keep in their maps, and their programs, read. */
export const theft: readonly Attack[] = [
  { ...base, name: 'secret-by-id', gain: 'a secret out of a foreign map, by its id', smoke: true },
  { ...base, name: 'secret-by-pin', gain: 'a secret out of a foreign map, by its pin' },
  { ...base, name: 'secret-by-cat', gain: 'a secret out of a foreign map, without bpf(2)' },
  { ...base, name: 'config-by-mmap', gain: 'a foreign map, mapped into memory' },
  {
    ...base,
    name: 'config-by-iterator',
    gain: 'the content of all maps, through the kernel’s memory',
    signingRefuses: true,
  },
  { ...base, name: 'program-dump', gain: 'the instructions of a foreign program' },
];
