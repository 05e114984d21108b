import { LogError } from './errors.ts';
import { checkInteger, checkRange, checkSource } from './limits.ts';
import {
  type Log,
  type LogRecord,
  type Output,
  type ReadLimit,
  TOPICS,
  type Topic,
  type TopicPartition,
} from './port.ts';

interface Records {
  start: number;
  bytes: number;
  readonly records: LogRecord[];
}

/** A log in memory, with the contract of the one in SQLite; for tests and for replays. */
export class MemoryLog implements Log {
  private readonly topics = new Map<Topic, Records>();
  private appendedMs = 0;
  private closed = false;

  constructor() {
    for (const topic of TOPICS) this.topics.set(topic, { start: 0, bytes: 0, records: [] });
  }

  async partitions(topic: Topic): Promise<number> {
    this.of({ topic, partition: 0 });
    return 1;
  }

  async start(source: TopicPartition): Promise<number> {
    return this.of(source).start;
  }

  async end(source: TopicPartition): Promise<number> {
    return endOf(this.of(source));
  }

  async read(source: TopicPartition, from: number, limit: ReadLimit): Promise<LogRecord[]> {
    const topic = this.of(source);
    checkInteger('offset', from, 0);
    checkInteger('limit of records', limit.records, 1);
    checkInteger('limit of bytes', limit.bytes, 0);
    checkRange(from, { start: topic.start, next: endOf(topic) });
    const found: LogRecord[] = [];
    let bytes = 0;
    for (let at = from - topic.start; found.length < limit.records; at++) {
      const record = topic.records[at];
      if (record === undefined) break;
      bytes += record.value.length;
      if (found.length > 0 && bytes > limit.bytes) break;
      found.push({ ...record, value: Uint8Array.from(record.value) });
    }
    return found;
  }

  append(outputs: readonly Output[], nowMs: number): { offsets: number[]; appendedMs: number } {
    const appendedMs = Math.max(nowMs, this.appendedMs);
    const offsets = outputs.map(({ topic: name, lane, key, value }) => {
      const topic = this.of({ topic: name, partition: 0 });
      const offset = endOf(topic);
      topic.records.push({ offset, lane, key, value: Uint8Array.from(value), appendedMs });
      topic.bytes += value.length;
      return offset;
    });
    if (outputs.length > 0) this.appendedMs = appendedMs;
    return { offsets, appendedMs };
  }

  /** Deletes the oldest records before `before`, and no more than bring the topic to `maxBytes`. */
  trim(name: Topic, limit: { before: number; maxBytes: number }) {
    const topic = this.of({ topic: name, partition: 0 });
    const before = topic.bytes;
    let records = 0;
    while (topic.bytes > limit.maxBytes && topic.start + records < limit.before) {
      const record = topic.records[records];
      if (record === undefined) break;
      topic.bytes -= record.value.length;
      records += 1;
    }
    topic.records.splice(0, records);
    topic.start += records;
    return { records, bytes: before - topic.bytes };
  }

  size(): number {
    return [...this.topics.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  close(): void {
    this.closed = true;
  }

  private of(source: TopicPartition): Records {
    if (this.closed) throw new LogError('CLOSED', 'the log is closed');
    checkSource(source);
    return this.topics.get(source.topic) as Records;
  }
}

function endOf({ start, records }: Records): number {
  return start + records.length;
}
