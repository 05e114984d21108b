import type { GrantMasks } from './compile.ts';

/**
 * The TypeScript twin of the decision function in the kernel. Numbers of `rule` are `enum wd_rule`
 * of bpf/include/warden.h.
 */
export interface ActNumbers {
  readonly command: number;
  /** null where the act has none, or it is not known yet. */
  readonly progType: number | null;
  readonly mapType: number | null;
}

export interface Decided {
  readonly decision: 'allow' | 'deny';
  readonly rule: number;
}

type Masks = Omit<GrantMasks, 'name'>;

/** Numbers without a bit are refused: a command that did not exist when the policy was made. */
function isIn(mask: bigint, number: number): boolean {
  return number >= 0 && number < 64 && ((mask >> BigInt(number)) & 1n) === 1n;
}

/** 0 for nothing refused, else 1 command, 2 program type, 3 map type. */
function refusedBy(grant: Masks, { command, progType, mapType }: ActNumbers): number {
  if (!isIn(grant.commands, command)) return 1;
  if (progType !== null && !isIn(grant.programTypes, progType)) return 2;
  if (mapType !== null && !isIn(grant.mapTypes, mapType)) return 3;
  return 0;
}

const LOADER_RULES = 3;

/** The tier's grant is asked first, then the loader's: both must allow. */
export function decideAct(act: ActNumbers, tierGrant: Masks, loaderGrant: Masks): Decided {
  const byTier = refusedBy(tierGrant, act);
  if (byTier > 0) return { decision: 'deny', rule: byTier };
  const byLoader = refusedBy(loaderGrant, act);
  if (byLoader > 0) return { decision: 'deny', rule: LOADER_RULES + byLoader };
  return { decision: 'allow', rule: 0 };
}

const KEYS = ['commands', 'program_types', 'map_types'];

/**
 * A rule as policies spell it: `tiers.standard.commands`, `loaders.cilium.map_types`,
 * `loaders.unknown.commands` for a loader without a name; null for rule 0 and numbers unknown.
 */
export function ruleName(
  rule: number,
  names: { readonly tier: string; readonly loader: string | null },
): string | null {
  if (!Number.isInteger(rule) || rule < 1 || rule > 2 * LOADER_RULES) return null;
  const key = KEYS[(rule - 1) % LOADER_RULES];
  if (rule <= LOADER_RULES) return `tiers.${names.tier}.${key}`;
  return `loaders.${names.loader ?? 'unknown'}.${key}`;
}
