const LENGTH_MAX = 64;

/** Edit distance with swaps of neighbours (optimal string alignment). O(a * b). */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const cost = (above[j - 1] as number) + (same ? 0 : 1);
      let best = Math.min(cost, (above[j] as number) + 1, (row[j - 1] as number) + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, (before[j - 2] as number) + 1);
      row.push(best);
    }
    before = above;
    above = row;
  }
  return above[b.length] as number;
}

/** Prefixes that the kernel's headers have and policies leave out. */
const PREFIX = /^BPF_(PROG_TYPE_|MAP_TYPE_)?/;

const folded = (text: string): string =>
  text.toUpperCase().replace(PREFIX, '').replaceAll('-', '_');

/**
 * The name most like `text`, the first of equals; null when none is within a third of its length
 * (at least 2 edits). Case, dashes and the kernel's prefixes cost nothing.
 */
export function nearest(text: string, names: readonly string[]): string | null {
  if (text.length > LENGTH_MAX) return null;
  const wanted = folded(text);
  let best: string | null = null;
  let least = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    const edits = distance(wanted, folded(name));
    if (edits < least && edits < name.length) {
      least = edits;
      best = name;
    }
  }
  return best;
}
