import type { Mode } from '#event';
import { enforcesAnything, type Policy } from '#policy';

/** A thing that a mode does, or does not. */
export interface Limit {
  readonly topic: 'denied' | 'not seen' | 'not denied' | 'claimed' | 'loader' | 'killed';
  readonly can: boolean;
  readonly text: string;
}

const can = (topic: Limit['topic'], text: string): Limit => ({ topic, can: true, text });
const not = (topic: Limit['topic'], text: string): Limit => ({ topic, can: false, text });

const UNSEEN_BY_TRACEPOINTS: readonly Limit[] = [
  not('not seen', 'bpf(2) calls that SYSCALL programs make themselves (bpf_sys_bpf)'),
  not('not seen', 'attaching outside bpf(2): perf ioctl, netlink, setsockopt, io_uring'),
  not('not seen', 'helpers and kfuncs of a program, and its bytes before it is loaded'),
  not('claimed', 'type, name and length of a program that did not load come from user memory'),
  not('loader', 'known by inode from the path in the policy: no digest is taken at exec'),
];

const GUARDED: readonly Limit[] = [
  can(
    'denied',
    'commands, types of programs and maps, attach types, helpers, kfuncs, foreign objects',
  ),
  can(
    'denied',
    'attaching by perf ioctl, netlink, setsockopt, io_uring (ATTACH); passed fds; pins',
  ),
  not('not seen', 'calls that seccomp refuses, and what is written through a mapped map'),
  not('not denied', 'use of an fd that was held or inherited: judged when it was issued'),
];

/** The honest list of each mode, as `doctor` says it. */
export const LIMITS: Readonly<Record<string, readonly Limit[]>> = {
  audit: [
    not('denied', 'nothing: in mode audit every verdict is recorded and none is enforced'),
    ...UNSEEN_BY_TRACEPOINTS,
  ],
  signal: [
    can('killed', 'who makes a load whose type or attach type the policy refuses (SIGKILL)'),
    not('not denied', 'all else: it is recorded, as in mode audit'),
    not(
      'not denied',
      'a load whose attributes are changed during the call: the program is there for a moment, ' +
        'and its fd can be with another process by then',
    ),
    not('not denied', 'loads by init and kernel threads: the kernel lets nobody kill them'),
    ...UNSEEN_BY_TRACEPOINTS,
  ],
  fmod_ret: [
    ...GUARDED,
    not(
      'not denied',
      'what comes while another task is preempted in the same hook on the same CPU: the kernel ' +
        'skips the program, and it is counted (preempt=none and voluntary up to 6.12: never seen)',
    ),
    not('loader', 'known by inode from the path in the policy: no digest is taken at exec'),
    not('not denied', 'LD_PRELOAD for warden-load and for agents under protect'),
  ],
  lsm: GUARDED,
};

/** Three lines on what is seen and denied. */
export function modeLines({ mode, policy }: { mode: Mode; policy: Policy }): string {
  const head = `mode ${mode}: every bpf(2) call with its result, who made it, from which file,`;
  if (mode === 'audit') {
    return [
      head,
      '  and every live program, map and link. Not seen: calls that BPF programs make themselves',
      '  (bpf_sys_bpf) and attaching outside bpf(2). Nothing is refused: ./warden doctor',
    ].join('\n');
  }
  if (mode === 'signal') {
    return [
      head,
      '  and every live program, map and link. Not seen: calls that BPF programs make themselves',
      '  (bpf_sys_bpf) and attaching outside bpf(2). Nothing is refused, but who makes a load that',
      '  the policy refuses is killed: ./warden doctor',
    ].join('\n');
  }
  const refused = mode === 'lsm' ? 'refused by the kernel' : 'refused as well as mode fmod_ret can';
  const effect = enforcesAnything(policy) ? refused : 'recorded: the policy observes';
  return [
    head,
    '  calls of BPF programs too, what each program calls, attaching outside bpf(2), and every',
    '  live program, map and link.',
    `  What the policy does not grant is ${effect}.`,
  ].join('\n');
}
