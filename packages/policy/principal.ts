import type { HostName, PrincipalKey, Subject } from '#event';
import { loaderNumber, loaderOfNumber } from './number.ts';
import type { PolicyLoader, Realm } from './policy.ts';

export interface Where {
  readonly host: HostName;
  readonly realms: readonly Realm[];
  readonly loaders: readonly Pick<PolicyLoader, 'name'>[];
}

function realmOf(uid: number, realms: readonly Realm[]): Realm | undefined {
  return realms.find(({ first, last }) => first <= uid && uid <= last);
}

/**
 * Who answers for what this subject does on this host. A loader's number that the policy does not
 * have (the kernel still has an older one) gives `loader-7@host`.
 */
export function principalOf(subject: Subject, { host, realms, loaders }: Where): PrincipalKey {
  const { kind, id } = subject;
  if (kind === 'loader') {
    const name = loaderOfNumber(id, loaders) ?? `loader-${id}`;
    return `${name}@${host}` as PrincipalKey;
  }
  return `uid:${id}@${realmOf(id, realms)?.name ?? host}` as PrincipalKey;
}

/** The kernel's keys for a principal on this host; none for those of other hosts. */
export function subjectsOf(principal: PrincipalKey, where: Where): readonly Subject[] {
  const { host, realms, loaders } = where;
  const at = principal.lastIndexOf('@');
  if (at < 0) return [];
  const place = principal.slice(at + 1);
  if (!principal.startsWith('uid:')) {
    if (place !== host) return [];
    const name = principal.slice(0, at);
    const isKnown = loaders.some((loader) => loader.name === name);
    return isKnown ? [{ kind: 'loader', id: loaderNumber(name) }] : [];
  }
  const id = Number(principal.slice('uid:'.length, at));
  if (place !== (realmOf(id, realms)?.name ?? host)) return [];
  return [
    { kind: 'auid', id },
    { kind: 'uid', id },
  ];
}
