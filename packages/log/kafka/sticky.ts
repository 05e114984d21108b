/** A member of a group, with the partitions that it has now. */
export interface Member {
  readonly id: string;
  readonly owned: readonly number[];
}

/**
 * Shares partitions out: as evenly as can be, and each stays with its owner where that is fair.
 * What two members claim goes to the first by id; the second has not heard yet that it lost it.
 */
export function share(members: readonly Member[], partitions: number): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shares = new Map<string, number[]>(sorted.map(({ id }) => [id, []]));
  if (sorted.length === 0) return shares;
  const least = Math.floor(partitions / sorted.length);
  // So many members have one more than `least`.
  let larger = partitions % sorted.length;
  const free = new Set(Array.from({ length: partitions }, (_, n) => n));
  for (const { id, owned } of sorted) {
    const mine = shares.get(id) as number[];
    for (const partition of owned) {
      const full = mine.length > least || (mine.length === least && larger === 0);
      if (full || !free.delete(partition)) continue;
      if (mine.length === least) larger -= 1;
      mine.push(partition);
    }
  }
  const left = [...free];
  for (const want of [least, least + 1]) {
    for (const { id } of sorted) {
      const mine = shares.get(id) as number[];
      while (mine.length < want && left.length > 0) mine.push(left.shift() as number);
    }
  }
  return shares;
}
