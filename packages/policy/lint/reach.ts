import { lowerThreshold, POINT, TIER_NAMES, type Tier } from '#trust';
import { UNKNOWN_GRANT } from '../check.ts';
import type { Policy } from '../policy.ts';
import { leastTrust } from './evidence.ts';
import type { Linted, Report } from './report.ts';

/** Why nobody is ever at this tier; null where somebody may be. */
function unreachable(policy: Policy, tier: number, least: number): string | null {
  const ceiling = TIER_NAMES[policy.ceiling];
  if (tier > policy.ceiling) return `nobody is above the ceiling, ${ceiling}`;
  if (tier >= 3 || tier === policy.ceiling) return null;
  if (least * POINT < lowerThreshold((tier + 1) as Tier)) return null;
  return `all signals together leave ${least} of the lowest base: evidence takes nobody that low`;
}

/** Tiers that somebody may be at. */
export function reachableTiers(policy: Policy): readonly number[] {
  const least = leastTrust(policy);
  return TIER_NAMES.map((_, tier) => tier).filter((tier) => !unreachable(policy, tier, least));
}

/** Tiers, and grants, that the policy gives to nobody. */
export function lintReach(report: Report, { file, policy }: Linted): void {
  const least = leastTrust(policy);
  for (const [tier, name] of TIER_NAMES.entries()) {
    const why = unreachable(policy, tier, least);
    const isSaid = file.tiers?.[name] !== undefined;
    if (why === null || (tier > policy.ceiling && !isSaid)) continue;
    const path = isSaid ? ['tiers', name] : ['signals'];
    const message = `nobody is ever ${name}: ${why}`;
    report.add(path, { severity: 'warning', code: 'UNREACHABLE', message }, 'key');
  }
  const reached = reachableTiers(policy).map((tier) => policy.tiers[tier] as string);
  const given = new Set([UNKNOWN_GRANT, ...reached, ...policy.loaders.map(({ grant }) => grant)]);
  for (const name of Object.keys(file.grants ?? {})) {
    if (given.has(name)) continue;
    const message = `nobody ever gets the grant "${name}": only tiers that nobody reaches have it`;
    report.add(['grants', name], { severity: 'warning', code: 'UNREACHABLE', message }, 'key');
  }
}
