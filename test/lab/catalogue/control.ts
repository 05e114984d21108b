import type { Attack } from '../types.ts';

const base = { family: 'control', expected: 'refused', fixture: 'agent' } as const;
const OPEN = 'the firewall of a signed agent lets everything pass';
const CUT = 'a signed program cuts off a service that it was not made for';

/** What a signed program does is decided by maps, tails, links and pins. */
export const control: readonly Attack[] = [
  { ...base, name: 'map-update-pin', gain: `${OPEN}: its map is written by its pin`, smoke: true },
  { ...base, name: 'map-update-id', gain: `${OPEN}: its map is written by its id`, smoke: true },
  { ...base, name: 'map-update-mmap', gain: `${OPEN}: its map is written without a call` },
  { ...base, name: 'prog-array-swap', gain: `${OPEN}: another signed program is its tail` },
  { ...base, name: 'prog-array-cut', gain: `${OPEN}: its tail is taken away` },
  { ...base, name: 'detach', gain: `${OPEN}: detached by its cgroup, no fd needed` },
  { ...base, name: 'link-detach', gain: `${OPEN}: its link is detached by its id` },
  { ...base, name: 'link-update', gain: `${OPEN}: its link runs another signed program` },
  { ...base, name: 'unpin', gain: `${OPEN}: the pin that keeps its link is removed` },
  { ...base, name: 'map-freeze', gain: 'the agent can change its own map no more' },
  { ...base, name: 'bind-map', gain: 'a map of the attacker is held by the agent’s program' },
  { ...base, name: 'pin-replace', gain: 'the agent opens a map of the attacker at its next start' },
  { ...base, name: 'pin-rename', gain: 'the agent misses its map at its next start' },
  { ...base, name: 'pin-link', gain: 'a map is open to whoever may read another directory' },
  { ...base, name: 'replay-old', gain: `${CUT}: an old release, with its holes, runs again` },
  { ...base, name: 'other-target', gain: `${CUT}: where it is attached is not signed` },
  { ...base, name: 'other-map', gain: `${CUT}: which maps it has is not signed` },
  { ...base, name: 'other-type', gain: `${CUT}: of which type it is is not signed` },
];
