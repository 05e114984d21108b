import type { Attack } from '../types.ts';

const base = { family: 'identity', expected: 'refused', fixture: 'agent' } as const;
const served = { ...base, fixture: 'served' } as const;
const AGENT = 'whatever the agent may do';
const TRUSTED = 'whatever a trusted user may do';
const FRESH = 'a clean record after a fall';

/** Who passes for the agent, for somebody trusted, or for nobody in particular. */
export const identity: readonly Attack[] = [
  { ...base, name: 'loader-copied', gain: `${AGENT}, by a copy of it`, smoke: true },
  { ...base, name: 'loader-renamed', gain: `${AGENT}, by another file at its path`, smoke: true },
  { ...base, name: 'loader-overwritten', gain: `${AGENT}, by other content in its file` },
  {
    ...base,
    name: 'loader-kept',
    gain: `${AGENT} that is known by its path: by another file there, some seconds later`,
    expected: 'reported',
    why: 'an upgrade looks the same: on_change: keep, the default without a digest',
    record: { command: /^LOADER$/ },
  },
  { ...base, name: 'loader-bind-mounted', gain: `${AGENT}, by a file mounted over its path` },
  { ...base, name: 'loader-in-mount-ns', gain: `${AGENT}, in a mount namespace of its own` },
  { ...base, name: 'loader-by-ld-so', gain: `${AGENT}, run by the dynamic linker` },
  { ...base, name: 'ld-preload', gain: `${AGENT}, by a library that LD_PRELOAD names` },
  { ...base, name: 'ld-so-preload-file', gain: `${AGENT}, by a library in /etc/ld.so.preload` },
  { ...base, name: 'exe-by-mm-map', gain: `${AGENT}: PR_SET_MM_MAP names its file` },
  { ...served, name: 'agent-proc-mem', gain: `${AGENT}: its memory is written by /proc` },
  { ...served, name: 'agent-vm-write', gain: `${AGENT}: its memory is written by a call` },
  { ...served, name: 'agent-ptrace', gain: `${AGENT}: its memory is written by ptrace` },
  { ...served, name: 'agent-scm-rights', gain: 'a writable fd of the agent’s map, passed on' },
  { ...served, name: 'agent-pidfd-getfd', gain: 'a writable fd of the agent’s map, taken' },
  {
    family: 'identity',
    expected: 'refused',
    name: 'loginuid-daemon',
    gain: `${TRUSTED}: a daemon writes their login uid`,
    auid: '-',
    signingRefuses: true,
  },
  {
    family: 'identity',
    expected: 'refused',
    name: 'loginuid-root',
    gain: `${TRUSTED}: root writes their login uid over their own`,
    signingRefuses: true,
  },
  {
    family: 'identity',
    expected: 'refused',
    name: 'fresh-uid',
    gain: `${FRESH}, by another uid`,
    auid: '-',
    signingRefuses: true,
  },
  {
    family: 'identity',
    expected: 'refused',
    name: 'fresh-loginuid',
    gain: `${FRESH}, by another login uid`,
    signingRefuses: true,
  },
  {
    family: 'identity',
    expected: 'refused',
    name: 'interpreter',
    gain: 'what the user may not do, by a script for a listed interpreter',
    signingRefuses: true,
  },
];

/** The host is another one afterwards: after all others. */
export const afterFall: readonly Attack[] = [
  {
    family: 'identity',
    expected: 'refused',
    name: 'service-after-fall',
    gain: `${FRESH}: root has a service manager start another user`,
    fixture: 'starter',
    signingRefuses: true,
    destructive: true,
  },
];
