/** A principal's tier as this host last heard it; `revision` is its record's offset. */
export interface Told {
  readonly tier: string;
  readonly pinned: boolean;
  readonly revision: number;
  readonly cause: string;
  readonly causeTimeUs: number;
  /** When the log took in the record, ms since 1970. */
  readonly arrivedMs: number;
}

/** `pending`: a lowering that the breaker holds back until an operator approves it. */
export interface Held extends Told {
  readonly pending: Told | null;
  /** It had CAP_SYS_ADMIN here when it fell: the host's ceiling follows. */
  readonly root?: true;
}

/** What was stored; an older product did not note when a record arrived. */
export function storedHeld(text: string): Held {
  const held = JSON.parse(text) as Held;
  return { ...held, arrivedMs: held.arrivedMs ?? Math.floor(held.causeTimeUs / 1000) };
}
