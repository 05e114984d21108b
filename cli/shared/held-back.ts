import { type Store, scanAll } from '#state';

/** A lowering that waits for an operator. */
export interface HeldBack {
  readonly principal: string;
  readonly stays: string;
  readonly held_back: string;
  readonly since: string;
  readonly cause: string;
}

const PREFIX = 'tier/';

/** What this host's breaker holds back, as the enforcer keeps it. */
export async function heldBack(store: Store): Promise<HeldBack[]> {
  const found: HeldBack[] = [];
  for await (const { key, value } of scanAll(store, 'host', 0)) {
    if (!key.startsWith(PREFIX)) continue;
    const { tier, pending } = JSON.parse(Buffer.from(value).toString());
    if (pending === null) continue;
    const since = new Date(Math.floor(pending.causeTimeUs / 1000)).toISOString();
    const principal = key.slice(PREFIX.length);
    found.push({ principal, stays: tier, held_back: pending.tier, since, cause: pending.cause });
  }
  return found;
}
