import { LANES } from '#event';
import type { After } from './entries.ts';
import type { Entry, Space, StateChange } from './port.ts';

interface LaneEntries {
  readonly values: Map<string, Uint8Array>;
  /** Keys in order; null after one came or went, until somebody scans. */
  sorted: string[] | null;
}

/** State in memory, by space, lane and key. Values are copied in and out. */
export class MemoryTable {
  private readonly lanes = new Map<string, LaneEntries>();

  get(space: Space, lane: number, key: string): Uint8Array | null {
    const value = this.lanes.get(`${space}/${lane}`)?.values.get(key);
    return value === undefined ? null : Uint8Array.from(value);
  }

  apply({ space, lane, key, value }: StateChange): void {
    const id = `${space}/${lane}`;
    const entries = this.lanes.get(id) ?? { values: new Map(), sorted: null };
    this.lanes.set(id, entries);
    const had = entries.values.has(key);
    if (value === null) entries.values.delete(key);
    else entries.values.set(key, Uint8Array.from(value));
    if (had !== (value !== null)) entries.sorted = null;
  }

  scan(
    space: Space,
    { lane, after, limit }: { lane?: number; after?: After; limit: number },
  ): Entry[] {
    const found: Entry[] = [];
    const first = Math.max(lane ?? 0, after?.lane ?? 0);
    const last = lane ?? LANES - 1;
    for (let n = first; n <= last && found.length < limit; n++) {
      const entries = this.lanes.get(`${space}/${n}`);
      if (entries === undefined) continue;
      entries.sorted ??= [...entries.values.keys()].sort(compare);
      const keys = entries.sorted;
      const from = after?.lane === n ? indexBehind(keys, after.key) : 0;
      for (const key of keys.slice(from, from + limit - found.length)) {
        const value = Uint8Array.from(entries.values.get(key) as Uint8Array);
        found.push({ lane: n, key, value });
      }
    }
    return found;
  }

  size(): number {
    let bytes = 0;
    for (const { values } of this.lanes.values()) {
      for (const [key, value] of values) bytes += key.length + value.length;
    }
    return bytes;
  }
}

/** By UTF-16 code unit. */
function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Index of the first key above `key` in sorted `keys`. */
function indexBehind(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) > key) high = middle;
    else low = middle + 1;
  }
  return low;
}
