import { randomBytes } from 'node:crypto';
import { type Incarnation, incarnation } from '#event';
import type { StateChange, Store } from '#state';

/** One life of a host's local log within one boot, as the store remembers it. */
export interface Life {
  readonly incarnation: Incarnation;
  readonly bootId: string;
  /** Whether its last run ended with a STOP event. */
  readonly clean: boolean;
  readonly predecessor: Incarnation | null;
}

const KEY = 'incarnation';

export interface Resumed {
  readonly life: Life;
  /** A new incarnation: a new log file, or a new boot. */
  readonly fresh: boolean;
  /** How the run before ended: null when there was none. */
  readonly previousClean: boolean | null;
}

/** The life that the store is in; null: nobody has written to it. */
export async function storedLife(store: Store): Promise<Life | null> {
  const stored = await store.get('host', 0, KEY);
  return stored === null ? null : (JSON.parse(Buffer.from(stored).toString()) as Life);
}

/** Goes on with the boot's incarnation, or begins one that names its predecessor. */
export async function resumeLife(store: Store, bootId: string): Promise<Resumed> {
  const last = await storedLife(store);
  const previousClean = last?.clean ?? null;
  if (last !== null && last.bootId === bootId) {
    return { life: { ...last, clean: false }, fresh: false, previousClean };
  }
  const life: Life = {
    incarnation: incarnation(randomBytes(8).toString('hex')),
    bootId,
    clean: false,
    predecessor: last?.incarnation ?? null,
  };
  return { life, fresh: true, previousClean };
}

export function lifeChange(life: Life): StateChange {
  return { space: 'host', lane: 0, key: KEY, value: Buffer.from(JSON.stringify(life)) };
}
