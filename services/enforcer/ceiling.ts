import type { HostCeiling } from '#bpf';
import type { HostName, PrincipalKey } from '#event';
import { type Policy, subjectsOf } from '#policy';
import { TIER_NAMES, type Tier } from '#trust';
import type { Held } from './held.ts';
import { type AdminMap, type HostMap, KINDS } from './ports.ts';

/** With this the policy wants no ceiling. */
const TRUSTED = 4;
/** At these a principal that was root here takes the host along: it can become anybody. */
const FALLEN: readonly string[] = ['denied', 'quarantined'];

export const hasFallen = ({ tier }: Pick<Held, 'tier'>): boolean => FALLEN.includes(tier);

/** Whether a principal was root here, as far as the kernel remembers. */
export function wasRoot(
  principal: PrincipalKey,
  { admins, host, policy }: { admins: AdminMap; host: HostName; policy: Policy },
): boolean {
  const { realms, loaders } = policy;
  const known = new Set(admins.read().map(({ kind, id }) => `${kind}/${id}`));
  return subjectsOf(principal, { host, realms, loaders }).some(({ kind, id }) =>
    known.has(`${KINDS[kind]}/${id}`),
  );
}

/** A change of the host's ceiling, and whose fall or return it follows from. */
export interface CeilingChange {
  readonly before: HostCeiling | null;
  readonly after: HostCeiling | null;
  readonly principal: PrincipalKey | null;
}

/**
 * Makes the host's ceiling what the fallen make it: the policy's `rootFall` while anybody who was
 * root here is quarantined or below, which a pardon ends, or weeks. null where it is so already.
 */
export function reconcileCeiling(
  held: ReadonlyMap<PrincipalKey, Held>,
  map: HostMap,
  rootFall: number,
): CeilingChange | null {
  const isRoot = ([, one]: [PrincipalKey, Held]) => one.root === true && hasFallen(one);
  const fallen = rootFall >= TRUSTED ? undefined : [...held].find(isRoot);
  const before = map.read();
  if (before?.tier === (fallen && rootFall)) return null;
  const after =
    fallen === undefined ? null : { tier: rootFall, revision: BigInt(fallen[1].revision) };
  map.set(after);
  return { before, after, principal: fallen?.[0] ?? null };
}

const nameOf = (at: HostCeiling | null): string =>
  at === null ? 'none' : (TIER_NAMES[at.tier as Tier] ?? String(at.tier));

/** What an event says of a change. */
export function ceilingDetails({ before, after, principal }: CeilingChange) {
  return {
    subject: 'host',
    before: nameOf(before),
    after: nameOf(after),
    why:
      principal === null
        ? 'nobody who was root here is quarantined or denied any more'
        : 'was root here, and can become anybody but a known loader',
    ...(principal !== null && { for_principal: principal }),
  };
}
