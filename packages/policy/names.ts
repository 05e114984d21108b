import { COMMANDS, MAP_TYPES, PROGRAM_TYPES } from '#event';

/** What a grant lists, with the kernel's names by number. */
export const NAME_LISTS = {
  commands: { names: COMMANDS, what: 'command', example: 'PROG_LOAD or MAP_*' },
  program_types: { names: PROGRAM_TYPES, what: 'program type', example: 'XDP or CGROUP_*' },
  map_types: { names: MAP_TYPES, what: 'map type', example: 'HASH or *_ARRAY' },
} as const;
export type NameList = keyof typeof NAME_LISTS;

/** Every number from 0 to 63, those without a name too. */
export const ALL_BITS = 0xffff_ffff_ffff_ffffn;

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

/** A mask of the numbers whose names match a pattern, and none of those with `!`. */
export function maskOf(list: NameList, patterns: readonly string[]): bigint {
  const { names } = NAME_LISTS[list];
  const out = patterns.filter((one) => one.startsWith('!')).map((one) => one.slice(1));
  const into = patterns.filter((one) => !one.startsWith('!'));
  let mask = 0n;
  for (const [number, name] of names.entries()) {
    const isIn = into.some((pattern) => matches(pattern, name));
    if (isIn && !out.some((pattern) => matches(pattern, name))) mask |= 1n << BigInt(number);
  }
  return mask & ALL_BITS;
}
