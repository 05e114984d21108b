import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '#config';
import { FOLD_POSITION } from '#fold';
import { LogError } from '#log';
import type { Store } from '#state';
import type { Logger } from '#telemetry';

const HOUSEKEEPING_MS = 60_000;
const LOOK_MS = 1000;
const SNAPSHOTS = 3;
/** Bytes of a topic that are kept. */
const TOPIC_BYTES = 256 * 1024 * 1024;
/** Of the log's bound: from here on as little is kept as the fold can do with. */
const LARGE = 0.75;
/** Of the log's bound: five topics of this share, and the state, stay below what is large. */
const TOPIC_SHARE = 1 / 16;
/** Of the log's bound: when a large one has grown by this much it is looked after again. */
const GROWTH = 1 / 16;

type Limits = Pick<Config, 'snapshotRecords' | 'logBytes'>;

const usedOf = async (store: Store): Promise<number> => {
  const { bytes, freeBytes } = await store.size();
  return bytes - freeBytes;
};

/** Records of `bpf.events` since the newest snapshot. */
async function sinceSnapshot(store: Store): Promise<number> {
  const end = await store.log.end({ topic: 'bpf.events', partition: 0 });
  return end - ((await store.snapshots()).at(-1)?.next ?? 0);
}

/**
 * Takes a snapshot and trims the log behind the oldest, when there are records enough for one or
 * the log comes near its bound. Returns what was deleted; null: nothing was to be done.
 */
export async function tidyUp(
  store: Store,
  { snapshotRecords, logBytes }: Limits,
): Promise<{ records: number; bytes: number } | null> {
  const isLarge = (await usedOf(store)) > logBytes * LARGE;
  const since = await sinceSnapshot(store);
  if (since < (isLarge ? 1 : snapshotRecords)) return null;
  await store.snapshot(FOLD_POSITION);
  if (!isLarge) return store.trim({ keepSnapshots: SNAPSHOTS, maxBytes: TOPIC_BYTES });
  const maxBytes = Math.min(TOPIC_BYTES, Math.floor(logBytes * TOPIC_SHARE));
  return store.trim({ keepSnapshots: 1, maxBytes });
}

/** Waits for the next time to look, which comes soon where a large log grows. */
async function untilGrown(store: Store, logBytes: number, signal: AbortSignal): Promise<void> {
  const again = Math.max((await usedOf(store)) + logBytes * GROWTH, logBytes * LARGE);
  for (let waitedMs = 0; waitedMs < HOUSEKEEPING_MS && !signal.aborted; waitedMs += LOOK_MS) {
    await sleep(LOOK_MS, null, { signal }).catch(() => null);
    if (!signal.aborted && (await usedOf(store)) > again) return;
  }
}

/** Does so now and then, so that the log stays within its bound, until `signal`. */
export async function keepHouse(
  store: Store,
  limits: Limits,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      const trimmed = await tidyUp(store, limits);
      if (trimmed !== null) logger.info(trimmed, 'snapshot taken, log trimmed behind the oldest');
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      logger.error({ reason: error.message }, 'no snapshot: the log cannot be written');
    }
    await untilGrown(store, limits.logBytes, signal);
  }
}
