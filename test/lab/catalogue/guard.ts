import type { Attack } from '../types.ts';

const OFF = 'the guard runs no more';
const GONE = 'the guard is gone';
const USER_HALF = 'who may kill and freeze may stop user space; verdicts do not wait for it';

/** Against any guard; without one there is nothing to gain. */
const hooks = { family: 'guard', expected: 'refused', destructive: true } as const;
/** Against objects and processes that only our guard has. */
const ours = {
  family: 'guard',
  expected: 'refused',
  destructive: true,
  settings: ['observe', 'enforce'],
} as const;
const any = { ...hooks, settings: ['signing', 'observe', 'enforce'] } as const;

/** The guard itself: switched off, answered for, taken apart, or not heard. */
export const guard: readonly Attack[] = [
  { ...ours, name: 'guard-map-by-id', gain: 'a map of the guard', destructive: false },
  { ...ours, name: 'guard-program-by-id', gain: 'a program of the guard', destructive: false },
  { ...ours, name: 'guard-link-by-id', gain: 'a link of the guard', destructive: false },
  { ...ours, name: 'monitor-memory', gain: 'the memory of the monitor', destructive: false },
  { ...ours, name: 'monitor-fds', gain: 'an fd that the monitor holds', destructive: false },
  { ...ours, name: 'monitor-ptrace', gain: 'the monitor, traced', destructive: false },
  {
    ...ours,
    name: 'loader-preload',
    gain: 'the guard’s own rights: a library in its loader',
    destructive: false,
  },
  {
    ...ours,
    name: 'loader-ptrace',
    gain: 'the guard’s own rights: its loader, started and traced',
    destructive: false,
  },
  {
    ...hooks,
    name: 'preempt-race',
    gain: 'a forbidden load among many at once',
    settleMs: 10000,
    dosed: true,
    signingRefuses: true,
    destructive: false,
  },
  {
    ...ours,
    name: 'ring-flood',
    gain: 'a forbidden act that nobody hears of',
    settleMs: 10000,
    destructive: false,
    needsEvent: true,
    record: { command: /^PROG_LOAD$/ },
    settings: ['enforce'],
  },
  { ...ours, name: 'stop-services', gain: `${OFF}: its services are stopped`, destructive: false },
  {
    ...ours,
    name: 'stop-services-unseen',
    gain: 'a while in which nobody reports, and nobody knows of it',
    expected: 'reported',
    why: USER_HALF,
    settleMs: 3000,
    destructive: false,
  },
  { ...ours, name: 'freeze-services', gain: `${OFF}: its services are frozen`, destructive: false },
  {
    ...ours,
    name: 'freeze-services-unseen',
    gain: 'a while in which nobody reports, and nobody knows of it',
    expected: 'reported',
    why: USER_HALF,
    settleMs: 3000,
    destructive: false,
  },
  { ...ours, name: 'kill-services', gain: `${OFF}: its services are killed`, settleMs: 10000 },
  { ...hooks, name: 'fmod-ret', gain: `${OFF}: another answers for it`, signingRefuses: true },
  {
    ...hooks,
    name: 'fmod-ret-trusted',
    gain: `${OFF}: somebody trusted answers for it`,
    auid: '10023',
    program: 'powertool',
    signingRefuses: true,
  },
  {
    ...hooks,
    name: 'lsm-positive',
    gain: `${OFF}: a program before it answers with a positive number`,
    auid: '10024',
    program: 'powertool',
    kernels: ['6.1'],
    signingRefuses: true,
  },
  {
    ...hooks,
    name: 'slots',
    gain: 'no place is left on its hook: its next version can’t be attached',
    auid: '10025',
    program: 'powertool',
    signingRefuses: true,
  },
  {
    ...ours,
    name: 'trace-guard',
    gain: 'a program that watches the guard decide',
    auid: '10026',
    program: 'powertool',
  },
  {
    ...ours,
    name: 'extend-guard',
    gain: 'a program in the place of a part of the guard',
    auid: '10027',
    program: 'powertool',
  },
  { ...hooks, name: 'ftrace-override', gain: `${OFF}: a write is replaced`, signingRefuses: true },
  { ...hooks, name: 'ftrace-sysctl', gain: `${OFF}: one write to a sysctl`, patches: true },
  { ...hooks, name: 'ftrace-file', gain: `${OFF}: one write in another /proc`, patches: true },
  { ...hooks, name: 'ftrace-uring', gain: `${OFF}: one write by io_uring`, patches: true },
  { ...ours, name: 'wipe-maps', gain: `${OFF}: its maps are written` },
  {
    ...ours,
    name: 'wipe-maps-trusted',
    gain: `${OFF}: its maps are written by somebody trusted`,
    auid: '10028',
    program: 'powertool',
  },
  {
    ...ours,
    name: 'send-signal',
    gain: 'the monitor is killed by a program',
  },
  { ...ours, name: 'kill-all', gain: `${OFF}: monitor and services are killed` },
  { ...any, name: 'unlink-pins', gain: `${GONE}: its pins are removed` },
  { ...any, name: 'umount-guard', gain: `${GONE}: its bpffs is unmounted` },
  { ...any, name: 'umount-ancestor', gain: `${GONE}: the mount above its bpffs is unmounted` },
  { ...ours, name: 'cover-guard', gain: 'services that start find other pins than its own' },
  {
    ...ours,
    name: 'unload',
    gain: `${GONE}: by its own door`,
    expected: 'reported',
    why: 'root must always get out, unless the guard is sealed',
    settleMs: 2000,
  },
];
