import type { Attack } from '../types.ts';

const base = { family: 'around', expected: 'refused', signingRefuses: true } as const;
const AFTER = 'after its fall';
const NO_CALL = 'a write to memory is no call, and a held mapping is not taken away';

/** A program is made while that is allowed; what is asked of the guard is the rest. */
export const around: readonly Attack[] = [
  { ...base, name: 'attach-bpf', gain: `a socket filter by SO_ATTACH_BPF, ${AFTER}` },
  { ...base, name: 'reuseport-bpf', gain: `a program that picks sockets, ${AFTER}` },
  { ...base, name: 'packet-fanout', gain: `a program that spreads packets, ${AFTER}` },
  {
    ...base,
    name: 'uring-setsockopt',
    gain: `a socket filter by io_uring, with no setsockopt at all, ${AFTER}`,
    kernels: ['6.12', '7.2'],
  },
  { ...base, name: 'perf-ioctl', gain: `a program on a perf event, ${AFTER}` },
  { ...base, name: 'netlink-xdp', gain: `a program on a network device by netlink, ${AFTER}` },
  {
    ...base,
    name: 'packet-filter',
    gain: `a classic filter on AF_PACKET, the way of BPFdoor, ${AFTER}`,
    signingRefuses: false,
  },
  {
    ...base,
    name: 'raw-filter',
    gain: `a classic filter on a raw socket, ${AFTER}`,
    signingRefuses: false,
  },
  { ...base, name: 'map-mmap', gain: `a map, mapped for writing, ${AFTER}`, signingRefuses: false },
  {
    ...base,
    name: 'map-mapped-before',
    gain: `writes to a map that was mapped before its fall`,
    expected: 'allowed',
    why: NO_CALL,
    signingRefuses: false,
  },
  {
    ...base,
    name: 'attach-bpf-seen',
    gain: 'a socket filter that no record tells of',
    expected: 'reported',
    why: 'its user may: it must only be seen',
    record: { command: /ATTACH/, via: /setsockopt/ },
  },
  {
    ...base,
    name: 'packet-filter-seen',
    gain: 'a classic filter on AF_PACKET that no record tells of',
    expected: 'reported',
    why: 'its user may: it must only be seen',
    record: { command: /ATTACH|FILTER/, via: /setsockopt/ },
    signingRefuses: false,
  },
  {
    ...base,
    name: 'perf-ioctl-seen',
    gain: 'a program on a perf event that no record tells of',
    expected: 'reported',
    why: 'its user may: it must only be seen',
    record: { command: /ATTACH/, via: /perf/ },
  },
  {
    ...base,
    name: 'netlink-xdp-seen',
    gain: 'a program on a network device that no record tells of',
    expected: 'reported',
    why: 'its user may: it must only be seen',
    record: { command: /ATTACH/, via: /netlink/ },
  },
  {
    ...base,
    name: 'netlink-filter',
    gain: 'nothing: udev and others filter what they hear',
    expected: 'allowed',
    why: 'no attack: refused, machines would not start',
    signingRefuses: false,
    mustWork: true,
  },
  {
    ...base,
    name: 'seccomp-filter',
    gain: 'nothing: a process gives up rights',
    expected: 'allowed',
    why: 'no attack: browsers and services live on it',
    signingRefuses: false,
    mustWork: true,
  },
];
