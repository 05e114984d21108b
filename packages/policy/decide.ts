import type { GrantMasks } from './compile.ts';
import { DIMENSIONS } from './names.ts';

/**
 * The TypeScript twin of the decision function in the kernel. Numbers of `rule` are `enum wd_rule`
 * of bpf/include/warden.h. null: the act has none, or it is not known yet.
 */
export interface ActNumbers {
  readonly command: number | null;
  readonly progType: number | null;
  readonly mapType: number | null;
  readonly attachType: number | null;
  /** All helpers that the program calls, as bits. */
  readonly helpers: bigint | null;
  /** Calls a helper that has no bit. */
  readonly beyond: boolean;
  /** Classes of all kfuncs that the program calls, as bits. */
  readonly kfuncs: bigint | null;
  /** Whether the object belongs to somebody else. */
  readonly foreign: boolean | null;
  /** Who signed the program, `enum wd_keyring`, and the number of that keyring. */
  readonly signer: number | null;
  readonly serial: number;
}

export interface Decided {
  readonly decision: 'allow' | 'deny' | 'would_deny';
  readonly rule: number;
}

/** A grant with the classes that warden-load made of its kfunc patterns. */
export type DecideMasks = Omit<GrantMasks, 'name' | 'kfuncs'> & { readonly kfuncs: bigint };

/** Numbers without a bit are refused: a command that did not exist when the policy was made. */
function isIn(mask: bigint, number: number, bits: number): boolean {
  return number >= 0 && number < bits && ((mask >> BigInt(number)) & 1n) === 1n;
}

const USER_KEYRING = 4;
/** A grant that does not ask for a number. */
const ANY_SERIAL = 0;

function isSigned({ keyrings, serial }: DecideMasks, signer: number, by: number): boolean {
  const counts = signer !== USER_KEYRING || serial === ANY_SERIAL || by === serial;
  return ((keyrings >> signer) & 1) === 1 && counts;
}

/** What the grant refuses, by dimension from 1. */
function refusals(act: ActNumbers, grant: DecideMasks): readonly boolean[] {
  const { command, progType, mapType, attachType, helpers, beyond, kfuncs, foreign } = act;
  const { signer, serial } = act;
  return [
    command !== null && !isIn(grant.commands, command, 64),
    progType !== null && !isIn(grant.programTypes, progType, 64),
    mapType !== null && !isIn(grant.mapTypes, mapType, 64),
    attachType !== null && !isIn(grant.attachTypes, attachType, 128),
    helpers !== null && (beyond || (helpers & ~grant.helpers) !== 0n),
    kfuncs !== null && (kfuncs & ~grant.kfuncs) !== 0n,
    foreign === true && !grant.foreign,
    signer !== null && !isSigned(grant, signer, serial),
  ];
}

const LOADER_RULES = 16;

/**
 * The tier's grant is asked first, then the loader's: both must allow. A rule that only observes
 * never hides one that enforces.
 */
export function decideAct(act: ActNumbers, tier: DecideMasks, loader: DecideMasks): Decided {
  let observed = 0;
  for (const [grant, from] of [
    [tier, 0],
    [loader, LOADER_RULES],
  ] as const) {
    for (const [i, refused] of refusals(act, grant).entries()) {
      if (!refused) continue;
      const dimension = i + 1;
      const rule = dimension + from;
      if (grant.enforce & (1 << dimension)) return { decision: 'deny', rule };
      observed ||= rule;
    }
  }
  return { decision: observed === 0 ? 'allow' : 'would_deny', rule: observed };
}

/** Rules of the guard itself: it could not judge, or keeps itself. */
const GUARD_RULES: Readonly<Record<number, string>> = {
  32: 'guard.unscanned',
  33: 'guard.no_memory',
  34: 'guard.protected',
  35: 'guard.hidden',
  36: 'guard.classic_filter',
  37: 'guard.bpffs',
};

/**
 * A rule as policies spell it: `tiers.standard.commands`, `loaders.cilium.map_types`,
 * `loaders.unknown.commands` for a loader without a name; null for rule 0 and numbers unknown.
 */
export function ruleName(
  rule: number,
  names: { readonly tier: string; readonly loader: string | null },
): string | null {
  const guard = GUARD_RULES[rule];
  if (guard !== undefined) return guard;
  const key = DIMENSIONS[(rule % LOADER_RULES) - 1];
  if (key === undefined || rule < 1 || rule >= 2 * LOADER_RULES) return null;
  if (rule < LOADER_RULES) return `tiers.${names.tier}.${key}`;
  return `loaders.${names.loader ?? 'unknown'}.${key}`;
}
