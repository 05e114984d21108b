import { DEFAULT_LIMIT, LogError, type LogRecord, type Topic } from '#log';
import type { Store } from '#state';

export interface FollowOptions {
  readonly topic: Topic;
  readonly from: number;
  /** False: end at the end of the topic as it is. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

type Partition = { readonly topic: Topic; readonly partition: number };

/** The next records, or the offset behind one that can't be read, which is said. */
async function readOrSkip(store: Store, partition: Partition, next: number) {
  try {
    return await store.log.read(partition, next, DEFAULT_LIMIT);
  } catch (error) {
    if (!(error instanceof LogError) || error.offset === null || error.code !== 'CORRUPT') {
      throw error;
    }
    process.stderr.write(`warden: ${error.message}: passed over; ./warden verify tells more\n`);
    return error.offset + 1;
  }
}

/** Batches of a topic's records, as they are committed. */
export async function* follow(store: Store, options: FollowOptions): AsyncGenerator<LogRecord[]> {
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
      const records = await readOrSkip(store, partition, next);
      if (typeof records === 'number') {
        next = records;
        continue;
      }
      if (records.length > 0) {
        yield records;
        next = (records.at(-1)?.offset ?? next) + 1;
      } else if (!options.follow) return;
      else await wake.promise;
    }
  } finally {
    unsubscribe();
    options.signal.removeEventListener('abort', stop);
  }
}
