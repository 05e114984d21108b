import { TIER_NAMES } from '#trust';
import { checkObjects } from './check-objects.ts';
import type { GrantFile, LoaderFile, PolicyFile } from './file.ts';
import { type Dimension, matches, NAME_LISTS, type NameList } from './names.ts';
import { nearest } from './nearest.ts';
import { loaderNumber } from './number.ts';
import { BUILT_IN_GRANTS } from './policy.ts';
import { type Path, shown } from './problem.ts';
import type { Source } from './source.ts';
import {
  HALF_LIFE_LIMIT_MS,
  parseDuration,
  parseInstant,
  parseRange,
  parseShort,
  parseTime,
  REFLEX_LIMIT_MS,
  UID_MAX,
} from './values.ts';

/** Grants that every policy may name; one of its own with that name stands in its place. */
export const SUPPLIED_GRANTS = ['standard', 'restricted', 'quarantined'] as const;
/** By tier, from denied to trusted, where the policy says nothing. */
export const DEFAULT_TIERS = ['none', 'quarantined', 'restricted', 'standard', 'all'] as const;
/** A grant of this name is what loaders without a label get; without one they get `all`. */
export const UNKNOWN_GRANT = 'unknown';

/** What the schema can't say: names that must exist, ranges, things that would have no effect. */
export function checkMeaning(source: Source, file: PolicyFile): void {
  checkRealms(source, file);
  checkLoaders(source, file);
  checkGrants(source, file);
  for (const [tier, { grant }] of Object.entries(file.tiers ?? {})) {
    checkGrantName(source, file, ['tiers', tier, 'grant'], grant);
  }
  checkReflex(source, file);
  checkObjects(source, file);
  checkOperators(source, file);
  checkContext(source, file);
  checkBreaker(source, file);
  checkSignals(source, file);
  checkHours(source, file);
}

function checkRealms(source: Source, { realms = [] }: PolicyFile): void {
  for (const [i, { name, uids }] of realms.entries()) {
    const { first, last } = parseRange(uids);
    if (realms.slice(0, i).some((other) => other.name === name)) {
      const message = `a second realm ${shown(name)}`;
      source.add(['realms', i, 'name'], { code: 'DUPLICATE', message });
    }
    const path = ['realms', i, 'uids'];
    if (first > last || last > UID_MAX) {
      const message = `${shown(uids)} is no range of user ids`;
      const expected = `a first and a last uid up to ${UID_MAX}`;
      source.add(path, { code: 'BAD_VALUE', message, expected });
    }
    const other = realms.slice(0, i).find((realm) => {
      const range = parseRange(realm.uids);
      return range.first <= last && first <= range.last;
    });
    if (other !== undefined) {
      const message = `overlaps with realm ${shown(other.name)} (${other.uids})`;
      source.add(path, { code: 'DUPLICATE', message });
    }
  }
}

const PATH_BYTES_MAX = 511;
const CONTENTS_MAX = 256;

function checkLoaders(source: Source, file: PolicyFile): void {
  const { loaders } = file;
  if (loaders === undefined) return;
  const byPath = new Map<string, number>();
  const byName = new Map<string, LoaderFile>();
  for (const [i, loader] of loaders.entries()) {
    checkPath(source, ['loaders', i, 'match', 'path'], loader.match.path, byPath);
    byPath.set(loader.match.path, i);
    const first = byName.get(loader.name);
    if (first === undefined) {
      checkNumber(source, ['loaders', i, 'name'], loader.name, [...byName.keys()]);
      byName.set(loader.name, loader);
    } else if (
      (first.kind ?? 'agent') !== (loader.kind ?? 'agent') ||
      first.grant !== loader.grant ||
      first.floor !== loader.floor
    ) {
      const message = `another loader ${shown(loader.name)} has a different kind, grant or floor`;
      source.add(['loaders', i, 'name'], { code: 'DUPLICATE', message });
    }
    checkCode(source, i, loader, first);
    if (loader.floor !== undefined && (loader.kind ?? 'agent') !== 'agent') {
      const message = `a ${loader.kind} has no tier of its own: a floor would have no effect`;
      source.add(['loaders', i, 'floor'], { code: 'UNUSED', message }, 'key');
    }
    if (loader.grant !== undefined) {
      checkGrantName(source, file, ['loaders', i, 'grant'], loader.grant);
    }
  }
  const contents = loaders.reduce((sum, { match }) => sum + [match.sha256 ?? ''].flat().length, 0);
  if (contents > CONTENTS_MAX) {
    const message = `${contents} contents, each digest of a loader being one`;
    source.add(['loaders'], { code: 'TOO_LARGE', message, expected: `at most ${CONTENTS_MAX}` });
  }
  const needsLogin = file.signals?.S21?.weight !== 0;
  if (needsLogin && !loaders.some(({ kind }) => kind === 'login')) {
    const message = 'no loader of kind login: every login uid would raise S21';
    const expected = 'one or more, such as sshd, or signals.S21.weight: 0';
    source.add(['loaders'], { code: 'MISSING', message, expected }, 'key');
  }
}

/** Loaders of one name have one list: the kernel knows it by their number. */
function checkCode(source: Source, i: number, loader: LoaderFile, first?: LoaderFile): void {
  const key = (one: LoaderFile) => one.code?.toSorted().join('\0') ?? null;
  if (first !== undefined && key(first) !== key(loader)) {
    const message = `another loader ${shown(loader.name)} has a different list of code`;
    source.add(['loaders', i, 'name'], { code: 'DUPLICATE', message });
  }
  for (const [k, path] of (loader.code ?? []).entries()) {
    checkClean(source, ['loaders', i, 'code', k], path);
  }
}

/** The kernel knows a loader by a hash of its name. */
function checkNumber(source: Source, path: Path, name: string, others: readonly string[]): void {
  const other = others.find((one) => loaderNumber(one) === loaderNumber(name));
  if (other === undefined) return;
  const message = `${shown(name)} has the same number in the kernel as ${shown(other)}`;
  source.add(path, { code: 'DUPLICATE', message, expected: 'another name for one of them' });
}

function checkClean(source: Source, at: Path, path: string): void {
  const steps = path.split('/').slice(1);
  const isClean = steps.every((step) => step !== '' && step !== '.' && step !== '..');
  if (!isClean || !path.isWellFormed() || Buffer.byteLength(path) > PATH_BYTES_MAX) {
    const message = `${shown(path)} is not a clean path`;
    const expected = "an absolute path of up to 511 bytes, without '//', '/./' or '/../'";
    source.add(at, { code: 'BAD_VALUE', message, expected });
  }
}

function checkPath(source: Source, at: Path, path: string, byPath: Map<string, number>): void {
  checkClean(source, at, path);
  const other = byPath.get(path);
  if (other !== undefined) {
    const message = `${shown(path)} is the path of loaders[${other}] too`;
    source.add(at, { code: 'DUPLICATE', message });
  }
}

function grantNames({ grants = {} }: PolicyFile): readonly string[] {
  return [...new Set([...Object.keys(grants), ...SUPPLIED_GRANTS, ...BUILT_IN_GRANTS])];
}

function checkGrantName(source: Source, file: PolicyFile, path: Path, name: string): void {
  const names = grantNames(file);
  if (names.includes(name)) return;
  const expected = names.length <= 12 ? names.join(', ') : 'a name under grants';
  const problem = { message: `no grant ${shown(name)}`, expected, nearest: nearest(name, names) };
  source.add(path, { code: 'UNKNOWN_NAME', ...problem });
}

function checkGrants(source: Source, file: PolicyFile): void {
  const used = new Set<string>([UNKNOWN_GRANT]);
  for (const { grant } of file.loaders ?? []) if (grant !== undefined) used.add(grant);
  for (const [tier, name] of TIER_NAMES.entries()) {
    used.add(file.tiers?.[name]?.grant ?? (DEFAULT_TIERS[tier] as string));
  }
  for (const [name, grant] of Object.entries(file.grants ?? {})) {
    const path = ['grants', name];
    if (BUILT_IN_GRANTS.has(name)) {
      const message = `${shown(name)} has its meaning already`;
      source.add(path, { code: 'DUPLICATE', message, expected: 'another name' }, 'key');
    } else if (!used.has(name)) {
      const message = `no tier and no loader has grant ${shown(name)}`;
      source.add(path, { code: 'UNUSED', message }, 'key');
    }
    for (const list of Object.keys(NAME_LISTS) as NameList[]) {
      checkPatterns(source, [...path, list], list, grant);
    }
    checkDimensions(source, path, file, grant);
  }
}

/** Only what differs from the policy's mode: everything else would have no effect. */
function checkDimensions(source: Source, path: Path, file: PolicyFile, grant: GrantFile): void {
  const lists = { enforce: grant.enforce ?? [], observe: grant.observe ?? [] };
  for (const [key, list] of Object.entries(lists) as ['enforce' | 'observe', Dimension[]][]) {
    for (const [i, dimension] of list.entries()) {
      const at = [...path, key, i];
      if (list.indexOf(dimension) < i) {
        source.add(at, { code: 'DUPLICATE', message: `${dimension} a second time` });
      } else if (key === file.mode) {
        const message = `${dimension} is in mode ${file.mode} already: the policy's mode is`;
        source.add(at, { code: 'UNUSED', message });
      }
    }
  }
}

function checkReflex(source: Source, { reflex = [] }: PolicyFile): void {
  for (const [i, one] of reflex.entries()) {
    if (reflex.findIndex(({ on }) => on === one.on) < i) {
      const message = `a second reflex on ${one.on}`;
      source.add(['reflex', i, 'on'], { code: 'DUPLICATE', message });
    }
    if (parseShort(one.for) <= REFLEX_LIMIT_MS) continue;
    const message = `${shown(one.for)} is too long`;
    const expected = 'a time such as 90s, 10m or 2h, at most 24h';
    source.add(['reflex', i, 'for'], { code: 'BAD_VALUE', message, expected });
  }
}

function checkOperators(source: Source, { operators = [] }: PolicyFile): void {
  for (const [i, { name, key }] of operators.entries()) {
    const before = operators.slice(0, i);
    if (before.some((one) => one.name === name)) {
      const message = `a second operator ${shown(name)}`;
      source.add(['operators', i, 'name'], { code: 'DUPLICATE', message });
    }
    const other = before.find((one) => one.key === key);
    if (other !== undefined) {
      const message = `the key of operator ${shown(other.name)} too`;
      source.add(['operators', i, 'key'], { code: 'DUPLICATE', message });
    }
  }
}

function checkContext(source: Source, { context = {} }: PolicyFile): void {
  for (const [i, { from, to }] of (context.changes ?? []).entries()) {
    const path = ['context', 'changes', i];
    for (const [key, text] of Object.entries({ from, to })) {
      if (!Number.isNaN(parseInstant(text))) continue;
      const expected = 'a time such as 2026-11-23T20:00Z';
      const message = `${shown(text)} does not exist`;
      source.add([...path, key], { code: 'BAD_VALUE', message, expected });
    }
    if (!(parseInstant(to) <= parseInstant(from))) continue;
    const message = `${shown(to)} is not after ${shown(from)}`;
    source.add([...path, 'to'], { code: 'BAD_VALUE', message, expected: 'from before to' });
  }
}

function checkBreaker(source: Source, { breaker = {} }: PolicyFile): void {
  const { within } = breaker;
  if (within === undefined || parseShort(within) <= REFLEX_LIMIT_MS) return;
  const message = `${shown(within)} is too long`;
  const expected = 'a time such as 90s, 10m or 2h, at most 24h';
  source.add(['breaker', 'within'], { code: 'BAD_VALUE', message, expected });
}

function checkPatterns(source: Source, path: Path, list: NameList, grant: GrantFile): void {
  const { names, what, example } = NAME_LISTS[list];
  for (const [i, text] of (grant[list] ?? []).entries()) {
    const pattern = text.startsWith('!') ? text.slice(1) : text;
    if (names.some((name) => matches(pattern, name))) continue;
    const isPattern = pattern.includes('*');
    const message = `no ${what} ${isPattern ? 'matches' : 'is called'} ${shown(pattern)}`;
    const hint = isPattern ? null : nearest(pattern, names);
    const expected = `${what.startsWith('a') ? 'an' : 'a'} ${what} such as ${example}`;
    source.add([...path, i], { code: 'UNKNOWN_NAME', message, expected, nearest: hint });
  }
}

function checkSignals(source: Source, { signals = {} }: PolicyFile): void {
  for (const [id, { half_life }] of Object.entries(signals)) {
    if (half_life === undefined || parseDuration(half_life) <= HALF_LIFE_LIMIT_MS) continue;
    const message = `${shown(half_life)} is too long`;
    const expected = 'a time such as 14d or 12h, at most 365d';
    source.add(['signals', id, 'half_life'], { code: 'BAD_VALUE', message, expected });
  }
}

function checkHours(source: Source, { hours }: PolicyFile): void {
  if (hours === undefined) return;
  for (const [i, day] of hours.days.entries()) {
    if (hours.days.indexOf(day) < i) {
      source.add(['hours', 'days', i], { code: 'DUPLICATE', message: `${day} a second time` });
    }
  }
  if (parseTime(hours.from) < parseTime(hours.to)) return;
  const message = `${shown(hours.to)} is not after ${shown(hours.from)}`;
  const expected = 'hours of one day: from before to';
  source.add(['hours', 'to'], { code: 'BAD_VALUE', message, expected });
}
