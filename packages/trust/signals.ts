import {
  type Burst,
  claimedLogin,
  type Detect,
  foreignNamespace,
  foreignObject,
  loadsFurther,
  loosePlace,
  newHost,
  newNetworkType,
  newTracingType,
  offHours,
  overridesReturn,
  overruling,
  refused,
  rejected,
  sendsSignals,
  sweep,
  tampering,
  undeclaredHole,
  unlistedProgram,
  writesUserMemory,
} from './detect.ts';
import { DAY_MS, HOUR_MS } from './time.ts';

/** Kinds of evidence. Each has a cap in points: otherwise one noisy source is the score. */
export type Category =
  | 'tamper'
  | 'helper'
  | 'context'
  | 'external'
  | 'feedback'
  | 'host'
  | 'attach'
  | 'recon'
  | 'novelty';

export interface CategoryRule {
  readonly category: Category;
  readonly capPoints: number;
  /** Low confidence: all such categories together can't push below the noise floor. */
  readonly low: boolean;
}

export const CATEGORIES: readonly CategoryRule[] = [
  { category: 'tamper', capPoints: 100, low: false },
  { category: 'helper', capPoints: 75, low: false },
  { category: 'context', capPoints: 45, low: false },
  { category: 'external', capPoints: 30, low: false },
  { category: 'feedback', capPoints: 5, low: false },
  { category: 'host', capPoints: 60, low: false },
  { category: 'attach', capPoints: 12, low: true },
  { category: 'recon', capPoints: 10, low: true },
  { category: 'novelty', capPoints: 12, low: true },
];

/** A row of the table. */
export interface Signal {
  readonly id: string;
  /** Its name in stored states, below SIGNALS_MAX: never used again for another signal. */
  readonly number: number;
  readonly title: string;
  /** Default weight in points. */
  readonly points: number;
  readonly halfLifeMs: number;
  readonly category: Category;
  /** From the lowest tier there is then no way back by time alone. */
  readonly sticky?: true;
  /** Judged from what the state remembers of earlier acts. */
  readonly remembers?: true;
  /** Not judged from acts: other systems report it. */
  readonly external?: true;
  /** Again within this time it is the same piece of evidence and is not raised. */
  readonly episodeMs?: number;
  /** Judged from one act. */
  readonly detect?: Detect;
  /** Judged from many acts. */
  readonly burst?: Burst;
}

/** Most signals that a state may hold; one above the largest number. */
export const SIGNALS_MAX = 32;

const days = (count: number): number => count * DAY_MS;
/** The calls of one run of a program are one piece of evidence. */
const EPISODE_MS = HOUR_MS;

/** Model trust/1, by number. S20, an incident that an analyst confirmed, is an override. */
export const SIGNALS: readonly Signal[] = [
  {
    id: 'S01',
    number: 1,
    title: 'tampering with the guard or its log',
    points: 80,
    halfLifeMs: days(30),
    category: 'tamper',
    sticky: true,
    detect: tampering,
  },
  {
    id: 'S02',
    number: 2,
    title: 'LSM or EXT program by a loader without that grant',
    points: 45,
    halfLifeMs: days(14),
    category: 'tamper',
    detect: overruling,
  },
  {
    id: 'S03',
    number: 3,
    title: 'helper probe_write_user',
    points: 40,
    halfLifeMs: days(14),
    category: 'helper',
    detect: writesUserMemory,
  },
  {
    id: 'S04',
    number: 4,
    title: 'helper override_return',
    points: 40,
    halfLifeMs: days(14),
    category: 'helper',
    detect: overridesReturn,
  },
  {
    id: 'S05',
    number: 5,
    title: 'helper send_signal or send_signal_thread',
    points: 25,
    halfLifeMs: days(7),
    category: 'helper',
    detect: sendsSignals,
  },
  {
    id: 'S06',
    number: 6,
    title: 'helper sys_bpf, kallsyms_lookup_name or sys_close',
    points: 15,
    halfLifeMs: days(7),
    category: 'helper',
    detect: loadsFurther,
  },
  {
    id: 'S07',
    number: 7,
    title: 'loader executable in a loose place',
    points: 30,
    halfLifeMs: days(7),
    category: 'context',
    episodeMs: EPISODE_MS,
    detect: loosePlace,
  },
  {
    id: 'S08',
    number: 8,
    title: 'load from another user namespace or by a foreign token',
    points: 15,
    halfLifeMs: days(3),
    category: 'context',
    detect: foreignNamespace,
  },
  {
    id: 'S09',
    number: 9,
    title: "fd by id of somebody else's object",
    points: 12,
    halfLifeMs: days(3),
    category: 'context',
    episodeMs: EPISODE_MS,
    detect: foreignObject,
  },
  {
    id: 'S10',
    number: 10,
    title: 'network program type first seen',
    points: 10,
    halfLifeMs: days(3),
    category: 'attach',
    remembers: true,
    detect: newNetworkType,
  },
  {
    id: 'S11',
    number: 11,
    title: 'tracing target class first seen in 30 days',
    points: 8,
    halfLifeMs: days(3),
    category: 'attach',
    remembers: true,
    detect: newTracingType,
  },
  {
    id: 'S12',
    number: 12,
    title: 'sweep over object ids',
    points: 6,
    halfLifeMs: days(1),
    category: 'recon',
    burst: sweep,
  },
  {
    id: 'S13',
    number: 13,
    title: 'burst of EPERM from the kernel',
    points: 5,
    halfLifeMs: days(1),
    category: 'recon',
    burst: refused,
  },
  {
    id: 'S14',
    number: 14,
    title: 'burst of verifier rejections',
    points: 3,
    halfLifeMs: days(1),
    category: 'recon',
    burst: rejected,
  },
  {
    id: 'S15',
    number: 15,
    title: 'program not in the allow list',
    points: 5,
    halfLifeMs: days(3),
    category: 'novelty',
    episodeMs: EPISODE_MS,
    detect: unlistedProgram,
  },
  {
    id: 'S16',
    number: 16,
    title: 'first act on a new host',
    points: 4,
    halfLifeMs: days(3),
    category: 'novelty',
    remembers: true,
    detect: newHost,
  },
  {
    id: 'S17',
    number: 17,
    title: 'hole in a lane that no LOSS declares',
    points: 20,
    halfLifeMs: days(7),
    category: 'host',
    detect: undeclaredHole,
  },
  {
    id: 'S18',
    number: 18,
    title: 'risk reported from outside',
    points: 30,
    halfLifeMs: days(7),
    category: 'external',
    external: true,
  },
  {
    id: 'S19',
    number: 19,
    title: 'denied by our own policy',
    points: 0,
    halfLifeMs: days(1),
    category: 'feedback',
  },
  {
    id: 'S21',
    number: 21,
    title: 'login uid not written by a login program',
    points: 15,
    halfLifeMs: days(7),
    category: 'context',
    episodeMs: EPISODE_MS,
    detect: claimedLogin,
  },
  {
    id: 'S16H',
    number: 22,
    title: 'outside working hours',
    points: 2,
    halfLifeMs: days(1),
    category: 'novelty',
    episodeMs: EPISODE_MS,
    detect: offHours,
  },
];

/** Signals that can be raised: a policy has a weight for each. */
export const RAISED_SIGNALS: readonly Signal[] = SIGNALS.filter(
  ({ detect, burst, external }) => detect !== undefined || burst !== undefined || external,
);

/** Signals whose judgement needs the memory of a state: a back-test takes them as recorded. */
export const REMEMBERED_SIGNALS: ReadonlySet<string> = new Set(
  SIGNALS.filter(({ burst, remembers }) => burst !== undefined || remembers).map(({ id }) => id),
);
