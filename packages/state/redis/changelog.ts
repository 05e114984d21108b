import { LogError } from '#log';
import type { KafkaLog } from '#log/kafka';
import type { StateChange } from '../port.ts';
import { parseChangelogKey } from './keys.ts';

/** Takes changes in order; `next` lies behind them. */
export type Take = (changes: StateChange[], next: number) => Promise<void>;

const PAGE = { records: 2000, bytes: 1024 * 1024 };

/** How often, and how long, what is behind an end that was told may still be waited for. */
const WAIT = { times: 50, ms: 200 } as const;

/**
 * Every change of a partition from `from` up to `end`, page by page. Throws `LogError` UNREACHABLE
 * when the brokers do not give what they said they have: a change left out would be a wrong state.
 */
export async function readChangelog(
  log: KafkaLog,
  { partition, from, end }: { partition: number; from: number; end: number },
  take: Take,
): Promise<void> {
  const place = { topic: 'bpf.trust', partition } as const;
  for (let at = from, waited = 0; at < end; ) {
    const { records, next } = await log.readSparse(place, at, PAGE);
    if (records.length === 0 && next === at) {
      // A broker that has just begun to lead may not know yet how far it may show its records.
      if (++waited > WAIT.times) {
        const what = `partition ${partition} of bpf.trust ends at ${at} instead of ${end}`;
        throw new LogError('UNREACHABLE', `kafka: ${what}`);
      }
      await log.awaitMore([{ ...place, from: at }], WAIT.ms);
      continue;
    }
    at = next;
    const changes = records.map(({ key, value }) => ({ ...parseChangelogKey(key), value }));
    await take(changes, at);
  }
}
