import { TIER_NAMES } from '#trust';
import { UNKNOWN_GRANT } from '../check.ts';
import type { GrantMasks } from '../compile.ts';
import { Judge } from '../judge.ts';
import {
  begins,
  DIMENSIONS,
  type Dimension,
  NAME_LISTS,
  type NameList,
  numberOf,
} from '../names.ts';
import type { Policy } from '../policy.ts';
import { reachableTiers } from './reach.ts';
import { type Linted, pathOfRule, type Report } from './report.ts';

const MASKS: Readonly<Record<NameList, keyof GrantMasks>> = {
  commands: 'commands',
  program_types: 'programTypes',
  map_types: 'mapTypes',
  attach_types: 'attachTypes',
  helpers: 'helpers',
};

/** Named numbers that a grant leaves out. */
function leftOut(grant: GrantMasks, list: NameList): bigint {
  const all = NAME_LISTS[list].names.reduce(
    (bits, name) => bits | (1n << BigInt(numberOf(list, name))),
    0n,
  );
  return all & ~(grant[MASKS[list]] as bigint);
}

/** Whether an act that a grant lets begin may be refused by this dimension of it. */
function refuses(grant: GrantMasks, dimension: Dimension, earlier: GrantMasks | null): boolean {
  if (dimension === 'commands') return (leftOut(grant, 'commands') & lets(earlier)) !== 0n;
  const both = grant.commands & lets(earlier);
  if (!begins(both, dimension)) return false;
  if (dimension === 'objects') return !grant.foreign && (earlier?.foreign ?? true);
  if (dimension === 'signature') {
    return (grant.keyrings & 1) === 0 && ((earlier?.keyrings ?? 1) & 1) === 1;
  }
  if (dimension === 'kfuncs') return !grant.kfuncs.includes('*') && grant.programTypes !== 0n;
  if (dimension === 'helpers' && grant.programTypes === 0n) return false;
  const before = earlier === null ? ~0n : (earlier[MASKS[dimension]] as bigint);
  return (leftOut(grant, dimension) & before) !== 0n;
}

const lets = (grant: GrantMasks | null): bigint => grant?.commands ?? ~0n;

function enforced(grant: GrantMasks, dimension: Dimension): boolean {
  return (grant.enforce & (1 << (DIMENSIONS.indexOf(dimension) + 1))) !== 0;
}

/** Every rule by which the policy refuses something, of tiers that somebody reaches and loaders. */
export function enforcingRules(policy: Policy): readonly string[] {
  const judge = new Judge(policy);
  const tiers = reachableTiers(policy);
  const rules: string[] = [];
  for (const tier of tiers) {
    const grant = judge.grantOfTier(tier);
    for (const dimension of DIMENSIONS) {
      if (!enforced(grant, dimension) || !refuses(grant, dimension, null)) continue;
      rules.push(`tiers.${TIER_NAMES[tier]}.${dimension}`);
    }
  }
  const hasUnknown = policy.grants.some(({ name }) => name === UNKNOWN_GRANT);
  const names = new Set(policy.loaders.map(({ name }) => name));
  for (const loader of [...names, ...(hasUnknown ? [null] : [])]) {
    const grant = judge.grantOf(loader);
    for (const dimension of DIMENSIONS) {
      // The tier's grant is asked first: what it refuses never comes to the loader's.
      const decides = tiers.some((tier) => refuses(grant, dimension, judge.grantOfTier(tier)));
      if (!enforced(grant, dimension) || !decides) continue;
      rules.push(`loaders.${loader ?? 'unknown'}.${dimension}`);
    }
  }
  return rules;
}

/** Rules that refuse and that no golden case names. */
export function lintRules(report: Report, linted: Linted): void {
  const { policy, covered } = linted;
  const rules = enforcingRules(policy);
  if (covered === null) {
    if (rules.length === 0) return;
    const message = `${rules.length} rules refuse, and no golden cases lie beside the policy`;
    const expected = 'NAME.cases.yaml: docs/reference/policy-cases.md';
    report.add(['mode'], { severity: 'warning', code: 'NO_CASE', message, expected });
    return;
  }
  for (const rule of rules) {
    if (covered.has(rule)) continue;
    const message = `no golden case names the rule ${rule}, which refuses`;
    const expected = `a step with expect: { verdict: deny, rule: ${rule} }`;
    const path = pathOfRule(linted, rule);
    report.add(path, { severity: 'warning', code: 'NO_CASE', message, expected }, 'key');
  }
}
