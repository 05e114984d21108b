import type { PrincipalKey } from '#event';
import { RAISED_SIGNALS, TIER_NAMES } from '#trust';
import { DEFAULT_TIERS } from './check.ts';
import type { BpffsFile, GrantFile, LoaderFile, PolicyFile, ReflexFile } from './file.ts';
import { DIMENSIONS, type Dimension, type TAMPER } from './names.ts';
import {
  type Bases,
  type Breaker,
  BUILT_IN_GRANTS,
  type Context,
  type Domain,
  type Grant,
  type Hours,
  type Policy,
  type PolicyLoader,
  type PolicySignal,
  type Reflex,
  ROOT_FALL,
  WEEKDAYS,
} from './policy.ts';
import {
  byText,
  parseDuration,
  parseInstant,
  parseKeep,
  parseOffset,
  parsePercent,
  parseRange,
  parseShort,
  parseTime,
  usualKeep,
} from './values.ts';

/** What a policy gets where it says nothing of its own. */
export type BuiltIn = () => Pick<Policy, 'loaders' | 'grants'>;

/** A checked file as a complete policy. `builtIn` is asked only for what the file leaves out. */
export function resolve(file: PolicyFile, builtIn: BuiltIn): Policy {
  const loaders = file.loaders === undefined ? builtIn().loaders : file.loaders.map(loaderOf);
  const tiers = TIER_NAMES.map(
    (name, tier) => file.tiers?.[name]?.grant ?? (DEFAULT_TIERS[tier] as string),
  ) as unknown as Policy['tiers'];
  return {
    version: file.version,
    mode: file.mode,
    realms: (file.realms ?? [])
      .map(({ name, uids, managed = true }) => ({ name, ...parseRange(uids), managed }))
      .toSorted((a, b) => a.first - b.first),
    operators: file.operators ?? [],
    loaders,
    grants: grantsOf(file, [...tiers, ...loaders.map(({ grant }) => grant)], builtIn),
    tiers,
    ceiling: TIER_NAMES.indexOf(file.ceiling ?? 'trusted'),
    rootFall: TIER_NAMES.indexOf(file.root_fall ?? ROOT_FALL),
    reflex: inOrder(file.reflex ?? [], ({ on }) => on).map(reflexOf),
    protect: (file.protect ?? []).toSorted(byText),
    bpffs: (file.bpffs ?? []).map(domainOf).toSorted((a, b) => byText(a.path, b.path)),
    trusted: ((file.trusted ?? []) as readonly PrincipalKey[]).toSorted(byText),
    bases: basesOf(file),
    signals: RAISED_SIGNALS.map(({ id }) => signalOf(id, file)),
    allow: file.programs === undefined ? null : [...new Set(file.programs.allow)].toSorted(byText),
    hours: hoursOf(file),
    context: contextOf(file),
    breaker: breakerOf(file),
    wouldDenyBudget: file.rollout?.would_deny ?? 20,
  };
}

function contextOf({ context = {} }: PolicyFile): Context {
  return {
    crownJewels: context.crown_jewels ?? [],
    changes: (context.changes ?? []).map(({ hosts, from, to }) => ({
      hosts,
      fromMs: parseInstant(from),
      toMs: parseInstant(to),
    })),
  };
}

function breakerOf({ breaker = {} }: PolicyFile): Breaker {
  const { principals = 20, share = '10%', hosts = '10%', within = '1m' } = breaker;
  return {
    principals,
    sharePermille: parsePercent(share),
    hostsPermille: parsePercent(hosts),
    withinMs: parseShort(within),
  };
}

function loaderOf(loader: LoaderFile): PolicyLoader {
  const { name, kind = 'agent', match, grant = 'all', floor = 'denied' } = loader;
  const code = loader.code === undefined ? null : [...new Set(loader.code)].toSorted(byText);
  const { path } = match;
  const sha256 = [match.sha256 ?? []].flat().toSorted(byText);
  const keepMs = loader.on_change === undefined ? usualKeep(sha256) : parseKeep(loader.on_change);
  return { name, kind, path, sha256, grant, floor: TIER_NAMES.indexOf(floor), keepMs, code };
}

function domainOf({ path, owners, expose, helpers }: BpffsFile): Domain {
  return {
    path,
    owners,
    readers: expose?.to ?? [],
    maps: expose?.maps ?? [],
    access: expose?.access ?? 'read',
    helpers: helpers ?? null,
  };
}

/** In the order of DIMENSIONS; what is none of them comes first. */
function inOrder<T>(items: readonly T[], of: (item: T) => Dimension | typeof TAMPER): readonly T[] {
  const place = (item: T) => DIMENSIONS.indexOf(of(item) as Dimension);
  return items.toSorted((a, b) => place(a) - place(b));
}

function reflexOf(reflex: ReflexFile): Reflex {
  return { on: reflex.on, tier: TIER_NAMES.indexOf(reflex.tier), forMs: parseShort(reflex.for) };
}

function grantOf(name: string, grant: GrantFile): Grant {
  const { commands, program_types: programTypes, map_types: mapTypes } = grant;
  const { attach_types: attachTypes = null, helpers = null, kfuncs = null } = grant;
  const { objects = 'any', signature = null, enforce = [], observe = [] } = grant;
  return {
    name,
    commands,
    programTypes,
    mapTypes,
    attachTypes,
    helpers,
    kfuncs,
    objects,
    signature,
    enforce: inOrder(enforce, (one) => one),
    observe: inOrder(observe, (one) => one),
  };
}

/** The file's own grants, and the built-in ones that tiers and loaders name besides. */
function grantsOf(file: PolicyFile, names: readonly string[], builtIn: BuiltIn): readonly Grant[] {
  const own = Object.entries(file.grants ?? {}).map(([name, grant]) => grantOf(name, grant));
  const known = new Set([...own.map(({ name }) => name), ...BUILT_IN_GRANTS]);
  const missing = new Set(names.filter((name) => !known.has(name)));
  const supplied =
    missing.size === 0 ? [] : builtIn().grants.filter(({ name }) => missing.has(name));
  return [...own, ...supplied].toSorted((a, b) => byText(a.name, b.name));
}

function basesOf({ bases = {} }: PolicyFile): Bases {
  const { realm = 90, unmanaged = 75, uid = 65, host = 90 } = bases;
  const { loader = 90, loader_path = 65 } = bases;
  const principals = Object.entries(bases.principals ?? {})
    .map(([principal, points]) => ({ principal: principal as PrincipalKey, points }))
    .toSorted((a, b) => byText(a.principal, b.principal));
  return { realm, unmanaged, loader, loaderPath: loader_path, uid, host, principals };
}

function signalOf(id: string, { signals = {} }: PolicyFile): PolicySignal {
  const signal = RAISED_SIGNALS.find((one) => one.id === id) as (typeof RAISED_SIGNALS)[number];
  const {
    weight = signal.points,
    half_life,
    limit = signal.burst?.limit ?? null,
  } = signals[id] ?? {};
  const halfLifeMs = half_life === undefined ? signal.halfLifeMs : parseDuration(half_life);
  return { id, points: weight, halfLifeMs, limit };
}

function hoursOf({ hours }: PolicyFile): Hours | null {
  if (hours === undefined) return null;
  return {
    weekdays: hours.days
      .map((day) => (WEEKDAYS as readonly string[]).indexOf(day))
      .toSorted((a, b) => a - b),
    fromMinute: parseTime(hours.from),
    toMinute: parseTime(hours.to),
    offsetMinutes: parseOffset(hours.utc_offset),
  };
}
