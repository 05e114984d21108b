import type { PrincipalKey } from '#event';
import { POINT, type Standing } from '#trust';
import type { BaseKind } from './file.ts';
import type { Policy } from './policy.ts';

/** By which base a principal is judged, from the form of its key and what the policy knows. */
export function baseKindOf({ realms, loaders }: Policy, principal: PrincipalKey): BaseKind {
  if (principal.startsWith('host:')) return 'host';
  const at = principal.lastIndexOf('@');
  const where = principal.slice(at + 1);
  if (principal.startsWith('uid:')) {
    const uid = Number(principal.slice('uid:'.length, at));
    const realm = realms.find(({ name }) => name === where);
    return realm !== undefined && realm.first <= uid && uid <= realm.last ? 'realm' : 'uid';
  }
  const paths = loaders.filter(({ name }) => name === principal.slice(0, at));
  const byDigest = paths.length > 0 && paths.every(({ sha256 }) => sha256 !== null);
  return byDigest ? 'loader' : 'loader_path';
}

export function pointsOf({ bases }: Policy, kind: BaseKind): number {
  return kind === 'loader_path' ? bases.loaderPath : bases[kind];
}

/** What the policy says of each principal. */
export function standings(policy: Policy): (principal: PrincipalKey) => Standing {
  const points = new Map(policy.bases.principals.map((one) => [one.principal, one.points]));
  const trusted = new Set(policy.trusted);
  return (principal) => {
    const base = points.get(principal) ?? pointsOf(policy, baseKindOf(policy, principal));
    return { base: base * POINT, defaultTier: trusted.has(principal) ? 4 : 3, floor: 0 };
  };
}
