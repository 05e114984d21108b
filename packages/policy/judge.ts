import { ATTACH_TYPES, commandNumber, HELPERS, MAP_TYPES, PROGRAM_TYPES } from '#event';
import { TIER_NAMES } from '#trust';
import { UNKNOWN_GRANT } from './check.ts';
import { type GrantMasks, grantMasks } from './compile.ts';
import { type ActNumbers, type DecideMasks, decideAct, ruleName } from './decide.ts';
import { matches } from './names.ts';
import type { Policy } from './policy.ts';

/** An act in the kernel's names, without what it does not have. */
export interface NamedAct {
  /** null: not a bpf(2) command. */
  readonly command: string | null;
  readonly program?: string;
  readonly map?: string;
  readonly attach?: string;
  readonly helpers?: readonly string[];
  readonly kfuncs?: readonly string[];
  /** The object that it asks for was made by somebody else. */
  readonly foreign?: boolean;
}

/** At which tier, and through which loader: its name in the policy, null when it has none there. */
export interface Standpoint {
  readonly tier: number;
  readonly loader: string | null;
}

export interface Judged {
  readonly decision: 'allow' | 'deny' | 'would_deny';
  /** Number of the rule, 0 when allowed. */
  readonly number: number;
  readonly rule: string | null;
}

const numberOf = (names: readonly string[], name: string | undefined): number | null =>
  name === undefined ? null : names.indexOf(name);

function bitsOf(helpers: readonly string[] | undefined): bigint | null {
  if (helpers === undefined) return null;
  return helpers.reduce((bits, name) => bits | (1n << BigInt(HELPERS.indexOf(name))), 0n);
}

/** Which of these kfuncs a grant's patterns allow, as bits by place in the list. */
function kfuncBits(patterns: readonly string[], kfuncs: readonly string[]): bigint {
  const out = patterns.filter((one) => one.startsWith('!')).map((one) => one.slice(1));
  const into = patterns.filter((one) => !one.startsWith('!'));
  return kfuncs.reduce((bits, name, i) => {
    const isIn = into.some((one) => matches(one, name)) && !out.some((one) => matches(one, name));
    return isIn ? bits | (1n << BigInt(i)) : bits;
  }, 0n);
}

/** What a policy says of acts: the decision of the kernel's guard, asked by name. */
export class Judge {
  private readonly policy: Policy;
  private readonly grants: ReadonlyMap<string, GrantMasks>;

  constructor(policy: Policy) {
    this.policy = policy;
    this.grants = new Map(grantMasks(policy).map((grant) => [grant.name, grant]));
  }

  /** The grant of a loader; of a loader that the policy does not know: `unknown`, or `all`. */
  grantOf(loader: string | null): GrantMasks {
    const known = this.policy.loaders.find(({ name }) => name === loader);
    const grant = this.grants.get(known?.grant ?? UNKNOWN_GRANT) ?? this.grants.get('all');
    return grant as GrantMasks;
  }

  grantOfTier(tier: number): GrantMasks {
    return this.grants.get(this.policy.tiers[tier] as string) as GrantMasks;
  }

  /** The tier is cut by the ceiling. */
  ask(act: NamedAct, from: Standpoint): Judged {
    const tier = Math.min(from.tier, this.policy.ceiling);
    const kfuncs = act.kfuncs ?? [];
    const masksOf = (grant: GrantMasks): DecideMasks => ({
      ...grant,
      kfuncs: kfuncBits(grant.kfuncs, kfuncs),
    });
    const { decision, rule } = decideAct(
      numbersOf(act),
      masksOf(this.grantOfTier(tier)),
      masksOf(this.grantOf(from.loader)),
    );
    const names = { tier: TIER_NAMES[tier] as string, loader: from.loader };
    return { decision, number: rule, rule: ruleName(rule, names) };
  }
}

function numbersOf({ command, program, map, attach, helpers, kfuncs, foreign }: NamedAct) {
  const numbers: ActNumbers = {
    command: command === null ? null : commandNumber(command),
    progType: numberOf(PROGRAM_TYPES, program),
    mapType: numberOf(MAP_TYPES, map),
    attachType: numberOf(ATTACH_TYPES, attach),
    helpers: bitsOf(helpers),
    beyond: false,
    kfuncs: kfuncs === undefined ? null : (1n << BigInt(kfuncs.length)) - 1n,
    foreign: foreign ?? null,
    // Nobody asks about a program that is signed: a grant that wants that refuses what is not.
    signer: program === null || program === undefined ? null : 0,
    serial: 0,
  };
  return numbers;
}
