/** One difference of two policies, in words. */
export interface Change {
  /** loses, gains: what somebody may do; counts: what trust does; other. */
  readonly kind: 'loses' | 'gains' | 'counts' | 'other';
  readonly text: string;
}

const NAMES_SHOWN = 6;

/** `KPROBE, XDP and 3 more` */
export function listed(names: readonly string[]): string {
  if (names.length <= NAMES_SHOWN) {
    const last = names.at(-1) ?? 'nothing';
    return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} and ${last}`;
  }
  return `${names.slice(0, NAMES_SHOWN).join(', ')} and ${names.length - NAMES_SHOWN} more`;
}

/** Items by name: of the old list, of the new one, of both. */
export function matched<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
): { gone: T[]; added: T[]; kept: { was: T; is: T }[] } {
  const byName = new Map(after.map((one) => [one.name, one]));
  const known = new Set(before.map(({ name }) => name));
  return {
    gone: before.filter(({ name }) => !byName.has(name)),
    added: after.filter(({ name }) => !known.has(name)),
    kept: before.flatMap((was) => {
      const is = byName.get(was.name);
      return is === undefined ? [] : [{ was, is }];
    }),
  };
}
