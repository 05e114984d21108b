import { TIER_NAMES } from '#trust';
import { canonical } from '../canonical.ts';
import type { Policy } from '../policy.ts';
import { formatShort } from '../values.ts';
import { type Change, listed, matched } from './change.ts';
import { tierChanges } from './grants.ts';
import { loaderChanges } from './loaders.ts';
import { baseChanges, realmChanges, signalChanges, trustedChanges } from './trust.ts';

/** What differs between two policies, in words, the weightiest first. */
export function diffPolicies(before: Policy, after: Policy): readonly Change[] {
  return [
    ...modeChanges(before, after),
    ...tierChanges(before, after),
    ...loaderChanges(before, after),
    ...trustedChanges(before, after),
    ...realmChanges(before, after),
    ...baseChanges(before, after),
    ...signalChanges(before, after),
    ...reflexChanges(before, after),
    ...operatorChanges(before, after),
    ...otherChanges(before, after),
  ];
}

function modeChanges(before: Policy, after: Policy): readonly Change[] {
  const changes: Change[] = [];
  if (before.mode !== after.mode) {
    const what = after.mode === 'enforce' ? 'refused' : 'only recorded';
    const kind = after.mode === 'enforce' ? 'loses' : 'gains';
    const text = `mode ${before.mode} to ${after.mode}: what is not granted is ${what}`;
    changes.push({ kind, text });
  }
  if (before.rootFall !== after.rootFall) {
    const [was, is] = [TIER_NAMES[before.rootFall], TIER_NAMES[after.rootFall]];
    const text = `root_fall ${was} to ${is}: after a root's fall others would be at most ${is}`;
    changes.push({ kind: 'counts', text });
  }
  if (before.ceiling !== after.ceiling) {
    const [was, is] = [TIER_NAMES[before.ceiling], TIER_NAMES[after.ceiling]];
    const kind = after.ceiling < before.ceiling ? 'loses' : 'gains';
    changes.push({ kind, text: `ceiling ${was} to ${is}: nobody would be above ${is}` });
  }
  return changes;
}

function reflexChanges(before: Policy, after: Policy): readonly Change[] {
  const named = ({ reflex }: Policy) => reflex.map(({ on, ...one }) => ({ name: on, ...one }));
  const { gone, added, kept } = matched(named(before), named(after));
  const what = ({ tier, forMs }: (typeof added)[number]): string =>
    `to ${TIER_NAMES[tier]} for ${formatShort(forMs)}`;
  const other = (text: string): Change => ({ kind: 'other', text });
  return [
    ...gone.map(({ name }) => other(`a refusal by ${name} would no longer lower at once`)),
    ...added.map((one) => other(`a refusal by ${one.name} would lower ${what(one)}, at once`)),
    ...kept
      .filter(({ was, is }) => what(was) !== what(is))
      .map(({ was, is }) =>
        other(`a refusal by ${is.name} would lower ${what(is)} instead of ${what(was)}`),
      ),
  ];
}

function operatorChanges(before: Policy, after: Policy): readonly Change[] {
  const { gone, added, kept } = matched(before.operators, after.operators);
  const other = (text: string): Change => ({ kind: 'other', text });
  return [
    ...gone.map(({ name }) => other(`${name} would no longer be an operator`)),
    ...added.map(({ name }) => other(`${name} would be an operator`)),
    ...kept
      .filter(({ was, is }) => was.key !== is.key)
      .map(({ is }) => other(`operator ${is.name} would have another key`)),
  ];
}

/** Keys of a policy that are said to differ, and how. */
const OTHERS = {
  protect: 'loaders whose objects nobody else may reach',
  bpffs: 'what directories of a bpffs are for',
  programs: 'known programs (S15)',
  hours: 'working hours (S16H)',
  context: 'where and when evidence counts for more or less',
  breaker: 'how many may be lowered at once',
  rollout: 'what a promotion tolerates',
} as const;

function otherChanges(before: Policy, after: Policy): readonly Change[] {
  const [was, is] = [before, after].map((policy) => JSON.parse(canonical(policy)));
  return Object.entries(OTHERS).flatMap(([key, what]): Change[] => {
    const [old, now] = [JSON.stringify(was[key]), JSON.stringify(is[key])];
    if (old === now) return [];
    if (key === 'programs') return [{ kind: 'other', text: allowed(before, after) }];
    const said = (text: string | undefined): string => text?.replaceAll('"', '') ?? 'none';
    return [{ kind: 'other', text: `${what}: ${said(old)} to ${said(now)}` }];
  });
}

function allowed(before: Policy, after: Policy): string {
  const [was, is] = [before.allow ?? [], after.allow ?? []];
  if (after.allow === null) return 'no list of known programs any more: S15 is never raised';
  const short = (digests: readonly string[]): string[] =>
    digests.map((digest) => `${digest.slice(0, 12)}…`);
  const gone = was.filter((one) => !is.includes(one));
  const added = is.filter((one) => !was.includes(one));
  const parts = [
    ...(added.length === 0 ? [] : [`with ${listed(short(added))}`]),
    ...(gone.length === 0 ? [] : [`without ${listed(short(gone))}`]),
  ];
  return `known programs ${parts.join(', ') || 'would be listed: S15 counts'}`;
}
