import type { PrincipalKey } from '#event';
import { POINT, type Standing, type Tier } from '#trust';
import type { BaseKind } from './file.ts';
import { matches } from './names.ts';
import type { Policy } from './policy.ts';

/** By which base a principal is judged, from the form of its key and what the policy knows. */
export function baseKindOf({ realms, loaders }: Policy, principal: PrincipalKey): BaseKind {
  if (principal.startsWith('host:')) return 'host';
  const at = principal.lastIndexOf('@');
  const where = principal.slice(at + 1);
  if (principal.startsWith('uid:')) {
    const uid = Number(principal.slice('uid:'.length, at));
    const realm = realms.find(({ name }) => name === where);
    if (realm === undefined || uid < realm.first || uid > realm.last) return 'uid';
    return realm.managed ? 'realm' : 'unmanaged';
  }
  const paths = loaders.filter(({ name }) => name === principal.slice(0, at));
  const byDigest =
    paths.length > 0 &&
    paths.every(({ sha256, keepMs }) => sha256.length > 0 && Number.isFinite(keepMs));
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
    const defaultTier = trusted.has(principal) ? 4 : 3;
    return { base: base * POINT, defaultTier, floor: floorOf(policy, principal) };
  };
}

/** Of a loader that acts for itself; 0 for anybody else. */
function floorOf({ loaders }: Policy, principal: PrincipalKey): Tier {
  if (principal.startsWith('uid:') || principal.startsWith('host:')) return 0;
  const name = principal.slice(0, principal.lastIndexOf('@'));
  const loader = loaders.find((one) => one.name === name && one.kind === 'agent');
  return (loader?.floor ?? 0) as Tier;
}

/** How much an act counts, permille: less in a change window, more at a crown jewel. */
export function contexts({ context }: Policy): (host: string, tMs: number) => number {
  const { crownJewels, changes } = context;
  const fits = (patterns: readonly string[], host: string): boolean =>
    patterns.some((pattern) => matches(pattern, host));
  return (host, tMs) => {
    const isPlanned = changes.some(
      ({ hosts, fromMs, toMs }) => fromMs <= tMs && tMs < toMs && fits(hosts, host),
    );
    if (isPlanned) return CHANGE_PERMILLE;
    return fits(crownJewels, host) ? JEWEL_PERMILLE : 1000;
  };
}

const CHANGE_PERMILLE = 200;
const JEWEL_PERMILLE = 1500;
