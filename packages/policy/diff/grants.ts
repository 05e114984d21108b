import { TIER_NAMES } from '#trust';
import type { GrantMasks } from '../compile.ts';
import { Judge } from '../judge.ts';
import { begins, DIMENSIONS, KEYRINGS, NAME_LISTS, type NameList, numberOf } from '../names.ts';
import type { Policy, PolicyMode } from '../policy.ts';
import { type Change, listed } from './change.ts';

const LISTS: readonly { readonly list: NameList; readonly key: keyof GrantMasks }[] = [
  { list: 'commands', key: 'commands' },
  { list: 'program_types', key: 'programTypes' },
  { list: 'map_types', key: 'mapTypes' },
  { list: 'attach_types', key: 'attachTypes' },
  { list: 'helpers', key: 'helpers' },
];

/** How an act with one of these names is called. */
const SPELLED: Readonly<Record<NameList, (names: string) => string>> = {
  commands: (names) => names,
  program_types: (names) => `PROG_LOAD of ${names}`,
  map_types: (names) => `MAP_CREATE of ${names}`,
  attach_types: (names) => `attaching as ${names}`,
  helpers: (names) => `programs that call ${names}`,
};

const ALL: Readonly<Record<NameList, string>> = {
  commands: 'every command',
  program_types: 'any type',
  map_types: 'any type',
  attach_types: 'any type',
  helpers: 'any helper',
};
/** Stands for none in the kernel's enums. */
const NONE: ReadonlySet<string> = new Set(['UNSPEC', 'unspec']);

/** Names that a grant allows and another does not. */
function namesIn(list: NameList, has: GrantMasks, lacks: GrantMasks): readonly string[] {
  const { key } = LISTS.find((one) => one.list === list) as (typeof LISTS)[number];
  const only = (has[key] as bigint) & ~(lacks[key] as bigint);
  return namesOf(list).filter((name) => (only >> BigInt(numberOf(list, name))) & 1n);
}

const namesOf = (list: NameList): readonly string[] =>
  NAME_LISTS[list].names.filter((name) => !NONE.has(name));

/** Names, or those that are left out where that is shorter. */
function spelled(list: NameList, names: readonly string[]): string {
  const others = namesOf(list).filter((name) => !names.includes(name));
  if (others.length === 0) return SPELLED[list](ALL[list]);
  const isShorter = others.length < names.length / 2;
  return SPELLED[list](isShorter ? `${ALL[list]} but ${listed(others)}` : listed(names));
}

/** What may be done by one grant and not by another, each list in words. */
function beyond(has: GrantMasks, lacks: GrantMasks): readonly string[] {
  const commands = namesIn('commands', has, lacks);
  const said = LISTS.flatMap(({ list }) => {
    // Without the command itself its types are lost with it.
    if (list !== 'commands' && commands.includes(list === 'map_types' ? 'MAP_CREATE' : 'PROG_LOAD'))
      return [];
    // Nobody gains a type without the command that makes it.
    const names = begins(has.commands, list) ? namesIn(list, has, lacks) : [];
    return names.length === 0 ? [] : [spelled(list, names)];
  });
  if (!commands.includes('PROG_LOAD')) said.push(...signedBeyond(has, lacks));
  return has.foreign && !lacks.foreign ? [...said, 'programs and maps of others'] : said;
}

/** The modes of the two policies. */
export type Modes = readonly [PolicyMode, PolicyMode];

/** What changes for those who have this grant: `standard users`, `loader cilium`. */
export function grantChanges(
  who: string,
  [was, is]: readonly [GrantMasks, GrantMasks],
  modes: Modes,
): readonly Change[] {
  const loses = beyond(was, is).map((what) => {
    return { kind: 'loses', text: `${who} would lose ${what}` } as const;
  });
  const gains = beyond(is, was).map((what) => {
    return { kind: 'gains', text: `${who} would gain ${what}` } as const;
  });
  return [...loses, ...gains, ...kfuncChanges(who, was, is), ...modeChanges(who, [was, is], modes)];
}

function kfuncChanges(who: string, was: GrantMasks, is: GrantMasks): readonly Change[] {
  const said = ({ kfuncs }: GrantMasks): string => kfuncs.join(', ') || 'none';
  if (said(was) === said(is)) return [];
  const text = `${who}: programs may call the kfuncs ${said(is)} instead of ${said(was)}`;
  return [{ kind: is.kfuncs.includes('*') ? 'gains' : 'loses', text }];
}

const UNSIGNED = 'unsigned';
const ANY_KEYRING = 'any other keyring';

/** Who may have signed. A keyring that anybody can make counts by its number. */
function signersOf({ keyrings, serial }: GrantMasks): readonly string[] {
  const numbered = serial === 0 ? ANY_KEYRING : `keyring:${serial}`;
  return KEYRINGS.filter((_, bit) => (keyrings >> bit) & 1).map((name) =>
    name === 'keyring' ? numbered : name,
  );
}

/** Programs that one grant takes by who signed them, and another does not. */
function signedBeyond(has: GrantMasks, lacks: GrantMasks): readonly string[] {
  const taken = signersOf(lacks);
  const isTaken = (name: string): boolean =>
    taken.includes(name) || (name.startsWith('keyring:') && taken.includes(ANY_KEYRING));
  const names = signersOf(has).filter((name) => !isTaken(name));
  const signers = names.filter((name) => name !== UNSIGNED);
  return [
    ...(names.includes(UNSIGNED) ? ['programs that nobody signed'] : []),
    ...(signers.length === 0 ? [] : [`programs signed by ${listed(signers)}`]),
  ];
}

/** A dimension that limits nothing refuses nothing, whatever its mode. */
function limits(grant: GrantMasks, dimension: (typeof DIMENSIONS)[number]): boolean {
  if (dimension === 'objects') return !grant.foreign;
  if (dimension === 'kfuncs') return !grant.kfuncs.includes('*');
  if (dimension === 'signature')
    return signersOf(grant).length < KEYRINGS.length || grant.serial > 0;
  const full = { ...grant, commands: ~0n, programTypes: ~0n, mapTypes: ~0n };
  const all: GrantMasks = { ...full, attachTypes: ~0n, helpers: ~0n };
  return namesIn(dimension, all, grant).length > 0;
}

/**
 * What would be refused rather than recorded, or the other way round. Where the whole policy
 * changes its mode that is said once, and here only what keeps the old one.
 */
function modeChanges(
  who: string,
  [was, is]: readonly [GrantMasks, GrantMasks],
  [before, after]: Modes,
): readonly Change[] {
  const on = ({ enforce }: GrantMasks, i: number): boolean => (enforce & (1 << (i + 1))) !== 0;
  const those = (fits: (i: number) => boolean): string | null => {
    const names = DIMENSIONS.filter((dimension, i) => limits(is, dimension) && fits(i));
    return names.length === 0 ? null : `what ${names.join(', ')} leave out`;
  };
  const said = (kind: Change['kind'], what: string | null, how: string): Change[] =>
    what === null ? [] : [{ kind, text: `${who}: ${what} would ${how}` }];
  if (before !== after) {
    const kept = those((i) => on(is, i) !== (after === 'enforce'));
    const how = after === 'enforce' ? 'still only be recorded' : 'still be refused';
    return said('other', kept, how);
  }
  return [
    ...said(
      'loses',
      those((i) => on(is, i) && !on(was, i)),
      'be refused, not only recorded',
    ),
    ...said(
      'gains',
      those((i) => !on(is, i) && on(was, i)),
      'only be recorded, not refused',
    ),
  ];
}

/** What changes by tier, the highest first. */
export function tierChanges(before: Policy, after: Policy): readonly Change[] {
  const was = new Judge(before);
  const is = new Judge(after);
  const modes = [before.mode, after.mode] as const;
  return [4, 3, 2, 1, 0].flatMap((tier) =>
    grantChanges(`${TIER_NAMES[tier]} users`, [was.grantOfTier(tier), is.grantOfTier(tier)], modes),
  );
}

/** Types that a loader may load, for a loader that comes or goes. */
export function typesOf(grant: GrantMasks): string {
  return spelled('program_types', namesIn('program_types', grant, NOTHING)).slice(
    'PROG_LOAD of '.length,
  );
}

const NOTHING: GrantMasks = {
  name: 'none',
  commands: 0n,
  programTypes: 0n,
  mapTypes: 0n,
  attachTypes: 0n,
  helpers: 0n,
  enforce: 0,
  foreign: false,
  keyrings: 0,
  serial: 0,
  kfuncs: [],
};
