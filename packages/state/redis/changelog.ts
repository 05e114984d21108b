import type { KafkaLog } from '#log/kafka';
import type { StateChange } from '../port.ts';
import { parseChangelogKey } from './keys.ts';

/** Takes changes in order; `next` lies behind them. */
export type Take = (changes: StateChange[], next: number) => Promise<void>;

const PAGE = { records: 2000, bytes: 1024 * 1024 };

/** Every change of a partition from `from` up to `end`, page by page. */
export async function readChangelog(
  log: KafkaLog,
  { partition, from, end }: { partition: number; from: number; end: number },
  take: Take,
): Promise<void> {
  const place = { topic: 'bpf.trust', partition } as const;
  for (let at = from; at < end; ) {
    const { records, next } = await log.readSparse(place, at, PAGE);
    // Behind the last record there may be markers only.
    at = records.length === 0 ? end : next;
    const changes = records.map(({ key, value }) => ({ ...parseChangelogKey(key), value }));
    await take(changes, at);
  }
}
