import type { Space } from '../port.ts';
import { Recent } from '../recent.ts';

interface Dirty {
  readonly value: Uint8Array | null;
  readonly write: number;
}

/** Values kept of what was read or written; those that Redis has not acknowledged come on top. */
const CACHE_COUNT = 20_000;

export function idOf(space: Space, lane: number, key: string): string {
  return `${space}/${lane}/${key}`;
}

/** What a partition knows without asking Redis. An unacknowledged value is never forgotten. */
export class Cache {
  private readonly values = new Recent<{ readonly value: Uint8Array | null }>(CACHE_COUNT);
  private readonly dirty = new Map<string, Dirty>();

  /** undefined: not known; null: known not to be there. */
  get(id: string): Uint8Array | null | undefined {
    const dirty = this.dirty.get(id);
    return dirty === undefined ? this.values.get(id)?.value : dirty.value;
  }

  remember(id: string, value: Uint8Array | null): void {
    this.values.set(id, { value });
  }

  /** A value that the write of this number brings to Redis. */
  written(id: string, value: Uint8Array | null, write: number): void {
    this.dirty.set(id, { value, write });
  }

  acknowledged(id: string, value: Uint8Array | null, write: number): void {
    this.remember(id, value);
    if (this.dirty.get(id)?.write === write) this.dirty.delete(id);
  }

  clear(): void {
    this.values.clear();
    this.dirty.clear();
  }
}
