import {
  ATTACH_TYPES,
  commandNumber,
  GRANTED_COMMANDS,
  HELPERS,
  MAP_TYPES,
  PROGRAM_TYPES,
} from '#event';

/** What a grant lists, with the kernel's names by number, and how many bits the kernel keeps. */
export const NAME_LISTS = {
  commands: { names: GRANTED_COMMANDS, bits: 64, what: 'command', example: 'PROG_LOAD or MAP_*' },
  program_types: {
    names: PROGRAM_TYPES,
    bits: 64,
    what: 'program type',
    example: 'XDP or CGROUP_*',
  },
  map_types: { names: MAP_TYPES, bits: 64, what: 'map type', example: 'HASH or *_ARRAY' },
  attach_types: { names: ATTACH_TYPES, bits: 128, what: 'attach type', example: 'XDP or TRACE_*' },
  helpers: { names: HELPERS, bits: 256, what: 'helper', example: 'map_lookup_elem or probe_read*' },
} as const;
export type NameList = keyof typeof NAME_LISTS;

/** What a grant speaks about: `enum wd_dimension` of the kernel side, from 1. */
export const DIMENSIONS = [
  'commands',
  'program_types',
  'map_types',
  'attach_types',
  'helpers',
  'kfuncs',
  'objects',
  'signature',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];
/** What a reflex can be on besides: trying to reach the guard itself. */
export const TAMPER = 'tamper';

/** Who may have signed a program: `enum wd_keyring`. One that anybody can make counts by number. */
export const KEYRINGS = ['unsigned', 'builtin', 'secondary', 'platform', 'keyring'] as const;
const USER_KEYRING = 4;
const NO_SERIAL = 0;

/** The keyrings as bits, and the number of the one that is named by it. */
export function keyringsOf(signature: readonly string[] | null): { bits: number; serial: number } {
  if (signature === null) return { bits: (1 << KEYRINGS.length) - 1, serial: NO_SERIAL };
  const numbered = signature.find((one) => one.startsWith('keyring:'));
  const bits = signature
    .filter((one) => one !== numbered)
    .reduce((all, one) => all | (1 << KEYRINGS.indexOf(one as (typeof KEYRINGS)[number])), 0);
  if (numbered === undefined) return { bits, serial: NO_SERIAL };
  return { bits: bits | (1 << USER_KEYRING), serial: Number(numbered.slice('keyring:'.length)) };
}

const ISSUING = ['OBJ_GET', 'PROG_GET_FD_BY_ID', 'MAP_GET_FD_BY_ID', 'PROG_LOAD'];
/** Commands by which an act comes to have the dimension. */
const BY: Readonly<Record<Dimension, readonly string[]>> = {
  commands: GRANTED_COMMANDS,
  program_types: ['PROG_LOAD'],
  map_types: ['MAP_CREATE'],
  attach_types: ['PROG_LOAD', 'LINK_CREATE', 'PROG_ATTACH'],
  helpers: ['PROG_LOAD'],
  kfuncs: ['PROG_LOAD'],
  objects: ISSUING,
  signature: ['PROG_LOAD'],
};

/** Whether one of these commands, as bits, begins an act that has the dimension. */
export function begins(commands: bigint, dimension: Dimension): boolean {
  return BY[dimension].some((name) => (commands >> BigInt(commandNumber(name))) & 1n);
}

/** The kernel's number of a name of the list; -1 where it is not in it. */
export function numberOf(list: NameList, name: string): number {
  return list === 'commands' ? commandNumber(name) : NAME_LISTS[list].names.indexOf(name);
}

/** Every number that the kernel keeps a bit for, those without a name too. */
export function allBits(list: NameList): bigint {
  return (1n << BigInt(NAME_LISTS[list].bits)) - 1n;
}

/**
 * Whether `name` matches `pattern`, where `*` stands for any run of characters. At worst name times
 * pattern steps: it goes back to the last star only.
 */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let n = 0; n < name.length; ) {
    if (pattern[p] === '*') {
      star = p++;
      resume = n;
    } else if (pattern[p] === name[n]) {
      p += 1;
      n += 1;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/**
 * A mask of the numbers whose names match a pattern, and none of those with `!`. Without a list
 * nothing is limited: then numbers that have no name yet are in it too.
 */
export function maskOf(list: NameList, patterns: readonly string[] | null): bigint {
  if (patterns === null) return allBits(list);
  const out = patterns.filter((one) => one.startsWith('!')).map((one) => one.slice(1));
  const into = patterns.filter((one) => !one.startsWith('!'));
  let mask = 0n;
  for (const name of NAME_LISTS[list].names) {
    const isIn = into.some((pattern) => matches(pattern, name));
    if (!isIn || out.some((pattern) => matches(pattern, name))) continue;
    mask |= 1n << BigInt(numberOf(list, name));
  }
  return mask;
}
