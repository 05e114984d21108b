import { type LogRecord, readPast, type Topic } from '#log';
import type { Store } from '#state';

export interface FollowOptions {
  readonly topic: Topic;
  readonly from: number;
  /** False: end at the end of the topic as it is. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Batches of a topic's records, as they are committed. */
export async function* follow(
  store: Store,
  options: FollowOptions,
): AsyncGenerator<readonly LogRecord[]> {
  const partition = { topic: options.topic, partition: 0 };
  let wake = Promise.withResolvers<void>();
  const unsubscribe = store.onCommit(() => wake.resolve());
  const stop = () => wake.resolve();
  options.signal.addEventListener('abort', stop);
  try {
    for (let next = options.from; !options.signal.aborted; ) {
      wake = Promise.withResolvers<void>();
      // What a trim took away since the last read is passed over, not waited for.
      next = Math.max(next, await store.log.start(partition));
      const past = await readPast(store.log, partition, next);
      next = past.next;
      if (past.damaged !== null) {
        process.stderr.write(`warden: ${past.damaged.message}: passed over: ./warden verify\n`);
      } else if (past.records.length > 0) yield past.records;
      else if (!options.follow) return;
      else await wake.promise;
    }
  } finally {
    unsubscribe();
    options.signal.removeEventListener('abort', stop);
  }
}
