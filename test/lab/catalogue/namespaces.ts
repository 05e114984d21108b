import type { Attack } from '../types.ts';

const base = { family: 'namespaces', expected: 'refused', signingRefuses: true } as const;

/** The same from inside a container, and what root hands to one. */
export const namespaces: readonly Attack[] = [
  { ...base, name: 'container-load', gain: 'a forbidden program, loaded in new namespaces' },
  {
    ...base,
    name: 'container-umount',
    gain: 'the guard is gone: its bpffs is unmounted in another mount namespace',
    settings: ['signing', 'observe', 'enforce'],
  },
  {
    ...base,
    name: 'token',
    gain: 'a user without capabilities loads programs',
    kernels: ['6.12', '7.2'],
  },
];
