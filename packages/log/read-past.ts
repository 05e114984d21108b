import { LogError } from './errors.ts';
import { DEFAULT_LIMIT, type Log, type LogRecord, type TopicPartition } from './port.ts';

/** Records, or the error of one that can't be read; `next` lies behind them or it. */
export interface ReadPast {
  readonly records: readonly LogRecord[];
  readonly damaged: LogError | null;
  readonly next: number;
}

/**
 * Reads on from `from`. A single damaged record must not stop its readers for ever: it is handed
 * back as `damaged`, to be reported, and the next read goes on behind it.
 */
export async function readPast(log: Log, source: TopicPartition, from: number): Promise<ReadPast> {
  try {
    const records = await log.read(source, from, DEFAULT_LIMIT);
    return { records, damaged: null, next: (records.at(-1)?.offset ?? from - 1) + 1 };
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== 'CORRUPT' || error.offset === null) {
      throw error;
    }
    return { records: [], damaged: error, next: error.offset + 1 };
  }
}
