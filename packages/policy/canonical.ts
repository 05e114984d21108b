import { createHash } from 'node:crypto';
import { TIER_NAMES } from '#trust';
import { type Domain, type Grant, type Policy, ROOT_FALL, WEEKDAYS } from './policy.ts';
import {
  formatDuration,
  formatInstant,
  formatKeep,
  formatOffset,
  formatPercent,
  formatShort,
  formatTimeOfDay,
  usualKeep,
} from './values.ts';

/** One content is written as it always was: the hash of a policy must not change with the build. */
function matchOf(path: string, sha256: readonly string[]): object {
  if (sha256.length === 0) return { path };
  return { path, sha256: sha256.length === 1 ? sha256[0] : sha256 };
}

/**
 * A policy as one line of JSON with sorted keys: complete, so that its hash covers what was left to
 * the built-in values. It is a policy file itself: `parsePolicy` reads it back as an equal policy.
 */
export function canonical(policy: Policy): string {
  return stable({
    version: policy.version,
    mode: policy.mode,
    realms: policy.realms.map(({ name, first, last, managed }) => ({
      name,
      uids: `${first}-${last}`,
      managed,
    })),
    operators: policy.operators.map(({ name, key }) => ({ name, key })),
    loaders: policy.loaders.map(({ name, kind, path, sha256, grant, floor, keepMs, code }) => ({
      name,
      kind,
      match: matchOf(path, sha256),
      ...(keepMs !== usualKeep(sha256) && { on_change: formatKeep(keepMs) }),
      grant,
      ...(kind === 'agent' && { floor: TIER_NAMES[floor] }),
      ...(code !== null && { code }),
    })),
    grants: Object.fromEntries(policy.grants.map((grant) => [grant.name, grantFile(grant)])),
    tiers: Object.fromEntries(policy.tiers.map((grant, tier) => [TIER_NAMES[tier], { grant }])),
    ceiling: TIER_NAMES[policy.ceiling],
    ...(TIER_NAMES[policy.rootFall] !== ROOT_FALL && {
      root_fall: TIER_NAMES[policy.rootFall],
    }),
    reflex: policy.reflex.map(({ on, tier, forMs }) => ({
      on,
      tier: TIER_NAMES[tier],
      for: formatShort(forMs),
    })),
    ...(policy.protect.length > 0 && { protect: policy.protect }),
    ...(policy.bpffs.length > 0 && { bpffs: policy.bpffs.map(domainFile) }),
    trusted: policy.trusted,
    bases: basesFile(policy),
    signals: Object.fromEntries(
      policy.signals.map(({ id, points, halfLifeMs, limit }) => [
        id,
        {
          weight: points,
          half_life: formatDuration(halfLifeMs),
          ...(limit !== null && { limit }),
        },
      ]),
    ),
    context: contextFile(policy),
    breaker: {
      principals: policy.breaker.principals,
      share: formatPercent(policy.breaker.sharePermille),
      hosts: formatPercent(policy.breaker.hostsPermille),
      within: formatShort(policy.breaker.withinMs),
    },
    rollout: { would_deny: policy.wouldDenyBudget },
    ...(policy.allow !== null && { programs: { allow: policy.allow } }),
    ...hoursFile(policy),
  });
}

function domainFile({ path, owners, readers, maps, access, helpers }: Domain) {
  return {
    path,
    owners,
    ...(readers.length > 0 && { expose: { maps, to: readers, access } }),
    ...(helpers !== null && { helpers }),
  };
}

function grantFile(grant: Grant) {
  const { commands, programTypes, mapTypes, attachTypes, helpers, kfuncs } = grant;
  return {
    commands,
    program_types: programTypes,
    map_types: mapTypes,
    ...(attachTypes !== null && { attach_types: attachTypes }),
    ...(helpers !== null && { helpers }),
    ...(kfuncs !== null && { kfuncs }),
    objects: grant.objects,
    ...(grant.signature !== null && { signature: grant.signature }),
    enforce: grant.enforce,
    observe: grant.observe,
  };
}

function contextFile({ context }: Policy) {
  return {
    crown_jewels: context.crownJewels,
    changes: context.changes.map(({ hosts, fromMs, toMs }) => ({
      hosts,
      from: formatInstant(fromMs),
      to: formatInstant(toMs),
    })),
  };
}

function basesFile({ bases }: Policy) {
  const { principals, loaderPath, ...kinds } = bases;
  return {
    ...kinds,
    loader_path: loaderPath,
    principals: Object.fromEntries(principals.map(({ principal, points }) => [principal, points])),
  };
}

function hoursFile({ hours }: Policy) {
  if (hours === null) return {};
  return {
    hours: {
      days: hours.weekdays.map((day) => WEEKDAYS[day]),
      from: formatTimeOfDay(hours.fromMinute),
      to: formatTimeOfDay(hours.toMinute),
      utc_offset: formatOffset(hours.offsetMinutes),
    },
  };
}

/** JSON with the keys of every object in code-unit order. */
function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const table = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(table).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${stable(table[key])}`).join(',')}}`;
}

/** SHA-256 of the canonical form, 64 hex digits. */
export function hashPolicy(policy: Policy): string {
  return createHash('sha256').update(canonical(policy)).digest('hex');
}
