import { POINT, SIGNALS, TIER_NAMES } from '#trust';
import { leftOf, tierOf } from '../lint/evidence.ts';
import { modelOf } from '../model.ts';
import type { Policy, PolicySignal } from '../policy.ts';
import { pointsOf } from '../standing.ts';
import { formatDuration } from '../values.ts';
import { type Change, matched } from './change.ts';

const counts = (text: string): Change => ({ kind: 'counts', text });

/** Whose trust a signal is shown by. */
function exampleOf(policy: Policy): { readonly who: string; readonly points: number } {
  const hasRealm = policy.realms.some(({ managed }) => managed);
  return hasRealm
    ? { who: 'a uid in a realm', points: pointsOf(policy, 'realm') }
    : { who: 'a uid of one host', points: pointsOf(policy, 'uid') };
}

/** `70 (standard)`: what one of these leaves of a base. */
function leaves(policy: Policy, { id, points }: PolicySignal, base: number): string {
  const left = leftOf(modelOf(policy), base, new Map([[id, points * POINT]]));
  return `${left} (${TIER_NAMES[tierOf(left)]})`;
}

function signalChange(before: Policy, after: Policy, was: PolicySignal, is: PolicySignal) {
  const parts: string[] = [];
  if (was.points !== is.points) parts.push(`weight ${was.points} to ${is.points}`);
  if (was.halfLifeMs !== is.halfLifeMs) {
    parts.push(`half-life ${formatDuration(was.halfLifeMs)} to ${formatDuration(is.halfLifeMs)}`);
  }
  if (was.limit !== is.limit) parts.push(`limit ${was.limit} to ${is.limit}`);
  if (parts.length === 0) return [];
  const title = SIGNALS.find(({ id }) => id === is.id)?.title ?? 'a signal';
  const what = `${is.id} (${title}): ${parts.join(', ')}`;
  if (was.points === is.points) return [counts(what)];
  const { who, points } = exampleOf(after);
  const [now, then] = [leaves(after, is, points), leaves(before, was, points)];
  return [counts(`${what}: one leaves ${who} at ${now} instead of ${then}`)];
}

export function signalChanges(before: Policy, after: Policy): readonly Change[] {
  return after.signals.flatMap((is) => {
    const was = before.signals.find(({ id }) => id === is.id);
    return was === undefined ? [] : signalChange(before, after, was, is);
  });
}

const KINDS = {
  realm: 'a uid in a realm',
  unmanaged: 'a uid in a realm that nobody manages',
  loader: 'a loader known by its file',
  loaderPath: 'a loader known by its path',
  uid: 'a uid of one host',
  host: 'a host',
} as const;

export function baseChanges(before: Policy, after: Policy): readonly Change[] {
  const kinds = Object.entries(KINDS).flatMap(([key, who]) => {
    const [was, is] = [before, after].map(({ bases }) => bases[key as keyof typeof KINDS]);
    return was === is ? [] : [counts(`${who} begins at ${is} instead of ${was}`)];
  });
  const named = ({ bases }: Policy) =>
    bases.principals.map(({ principal: name, points }) => ({ name: name as string, points }));
  const { gone, added, kept } = matched(named(before), named(after));
  return [
    ...kinds,
    ...gone.map(({ name }) => counts(`${name} would have no base of its own any more`)),
    ...added.map(({ name, points }) => counts(`${name} would begin at ${points}`)),
    ...kept.flatMap(({ was, is }) =>
      was.points === is.points
        ? []
        : [counts(`${is.name} would begin at ${is.points} instead of ${was.points}`)],
    ),
  ];
}

export function trustedChanges(before: Policy, after: Policy): readonly Change[] {
  const gone = before.trusted.filter((one) => !after.trusted.includes(one));
  const added = after.trusted.filter((one) => !before.trusted.includes(one));
  return [
    ...gone.map((one): Change => {
      return { kind: 'loses', text: `${one} would be standard instead of trusted` };
    }),
    ...added.map((one): Change => ({ kind: 'gains', text: `${one} would be trusted` })),
  ];
}

export function realmChanges(before: Policy, after: Policy): readonly Change[] {
  const { gone, added, kept } = matched(before.realms, after.realms);
  const anew = 'their trust begins anew';
  const range = ({ first, last }: (typeof gone)[number]): string => `uids ${first} to ${last}`;
  return [
    ...gone.map((realm) =>
      counts(`${range(realm)} would count for each host, not as uid:N@${realm.name}: ${anew}`),
    ),
    ...added.map((realm) =>
      counts(`${range(realm)} would count as uid:N@${realm.name} on all hosts: ${anew}`),
    ),
    ...kept.flatMap(({ was, is }) => [
      ...(range(was) === range(is)
        ? []
        : [
            counts(
              `realm ${is.name}: ${range(is)} instead of ${range(was)}: ` +
                'who is in one only begins anew',
            ),
          ]),
      ...(was.managed === is.managed
        ? []
        : [counts(`realm ${is.name}: ${is.managed ? 'managed' : 'nobody manages it'}`)]),
    ]),
  ];
}
