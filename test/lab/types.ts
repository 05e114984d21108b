import type { Kernel } from '../kernel/guest/index.ts';

/** From no guard to one that refuses. */
export const SETTINGS = ['none', 'signing', 'observe', 'enforce'] as const;
export type Setting = (typeof SETTINGS)[number];

/** Best first: an attack that is refused, one that is at least recorded, one that nobody sees. */
export const RESULTS = ['refused', 'reported', 'allowed'] as const;
export type Result = (typeof RESULTS)[number];

export const FAMILIES = [
  'hidden',
  'control',
  'identity',
  'guard',
  'around',
  'theft',
  'namespaces',
] as const;
export type Family = (typeof FAMILIES)[number];

/** What an event must have to count as the record of an attack that could not be refused. */
export interface Record {
  readonly command: RegExp;
  readonly via?: RegExp;
}

export interface Attack {
  readonly name: string;
  readonly family: Family;
  /** What whoever succeeds has gained. */
  readonly gain: string;
  /** Under `enforce`. */
  readonly expected: Result;
  /** Why it can't be refused, or must not be; for rows that are not `refused`. */
  readonly why?: string;
  /** Under `signing`: signatures refuse it. Otherwise it is expected to succeed. */
  readonly signingRefuses?: boolean;
  /** What counts as its record, besides refusals, signals and what the guard says of itself. */
  readonly record?: Record;
  /** Kernels that know what it needs; by default all. */
  readonly kernels?: readonly Kernel[];
  /** Settings it makes sense under; by default all. */
  readonly settings?: readonly Setting[];
  /** `-`: a process without a login uid. By default a login uid of its own. */
  readonly auid?: '-' | `${number}`;
  /** The executable it is run as; by default one that the policy does not list. */
  readonly program?: 'powertool' | 'skeleton';
  /** What there is besides: the agent's objects, the agent itself, or a service manager. */
  readonly fixture?: 'agent' | 'served' | 'starter';
  /** Milliseconds until whoever reports has reported. */
  readonly settleMs?: number;
  /** The guard may be gone after it: in a boot with others of the kind. */
  readonly destructive?: boolean;
  /** Patches the kernel's text, which the emulator survives on one thread only: in its own boot. */
  readonly patches?: boolean;
  /** Does as much as the run asks for; then in its own boot, or nobody hears of what comes next. */
  readonly dosed?: boolean;
  /** Refused or not, it is only beaten when an event says so. */
  readonly needsEvent?: boolean;
  /** No attack: to refuse it would break machines. */
  readonly mustWork?: boolean;
  /** In the short run of `npm test`. */
  readonly smoke?: boolean;
}

/** What a run prints, one line of JSON each. */
export interface Row {
  readonly attack: string;
  readonly family: Family;
  readonly kernel: string;
  readonly setting: Setting;
  readonly expected: Result;
  readonly got: Result | 'not run';
  readonly event: string | null;
  /** The step that it came to, and its errno. */
  readonly how: string;
}
