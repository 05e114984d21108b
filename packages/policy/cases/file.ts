import type { TierName } from '#trust';

/** A file of golden cases whose shape `schemas/policy-cases.schema.json` has accepted. */
export interface CasesFile {
  readonly version: 1;
  readonly cases: readonly CaseFile[];
}

export interface CaseFile {
  readonly name: string;
  readonly about: string;
  readonly host?: string;
  readonly start?: string;
  readonly story: readonly StepFile[];
}

export const SAYINGS = ['pardon', 'pin', 'break_glass', 'observe', 'adjust', 'lift'] as const;
export type Saying = (typeof SAYINGS)[number];

/** One of `act`, `ask`, `say` and `risk`, or only `expect`. */
export interface StepFile extends ActFile, SayFile {
  readonly at?: string;
  readonly every?: string;
  readonly act?: string;
  readonly ask?: string;
  readonly say?: Saying;
  readonly risk?: string;
  readonly expect?: ExpectFile;
}

/** What an act is like. */
export interface ActFile {
  readonly program?: string;
  readonly map?: string;
  readonly attach?: string;
  readonly helpers?: readonly string[];
  readonly kfuncs?: readonly string[];
  readonly loader?: string;
  readonly path?: string;
  readonly places?: readonly string[];
  readonly host?: string;
  readonly login?: 'counts' | 'claimed' | 'unset';
  readonly userns?: 'init' | 'other';
  readonly owner?: string;
  readonly errno?: string;
  readonly count?: number;
  readonly sha256?: string;
  readonly declared?: boolean;
}

/** What an operator says. */
export interface SayFile {
  readonly signals?: readonly string[];
  readonly now?: boolean;
  readonly tier?: TierName;
  readonly incident?: boolean;
  readonly factor?: number;
  readonly for?: string;
  readonly commands?: readonly string[];
  readonly hosts?: readonly string[];
  readonly as?: string;
  readonly lifts?: string;
  readonly by?: string;
  readonly reason?: string;
}

export interface ExpectFile {
  readonly tier?: TierName;
  readonly trust?: string | number;
  readonly signals?: readonly string[];
  readonly raises?: readonly string[];
  readonly verdict?: 'allow' | 'deny' | 'would_deny';
  readonly rule?: string;
  readonly changes?: string | number;
  readonly refused?: boolean;
}

export const ACT_KEYS: readonly (keyof ActFile)[] = [
  'program',
  'map',
  'attach',
  'helpers',
  'kfuncs',
  'loader',
  'path',
  'places',
  'host',
  'login',
  'userns',
  'owner',
  'errno',
  'count',
  'sha256',
  'declared',
];

/** By what is said, besides `by` and `reason`. */
export const SAY_KEYS: Readonly<Record<Saying, readonly (keyof SayFile)[]>> = {
  pardon: ['signals', 'now'],
  pin: ['tier', 'incident', 'for', 'as'],
  break_glass: ['commands', 'hosts', 'for', 'as'],
  observe: ['for', 'as'],
  adjust: ['factor', 'for', 'as'],
  lift: ['lifts'],
};
