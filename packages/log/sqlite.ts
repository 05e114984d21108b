import { type Database, sizeOf } from './database.ts';
import { corrupt, type LogError } from './errors.ts';
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
import { keyOfStored, type Row, rowCrc, storedKey } from './rows.ts';
import { TABLES } from './schema.ts';

interface TopicRow {
  readonly topic: Topic;
  start: number;
  next: number;
  /** Of all values still there. */
  bytes: number;
  appendedMs: number;
}

/** Records deleted in one transaction, at most. */
const TRIM_RECORDS = 1000;

/** A log in a `Database`: one partition and one table a topic. `append` belongs in its `write`. */
export class SqliteLog implements Log {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  async partitions(topic: Topic): Promise<number> {
    checkSource({ topic, partition: 0 });
    return 1;
  }

  async start(source: TopicPartition): Promise<number> {
    checkSource(source);
    return this.topic(source.topic).start;
  }

  async end(source: TopicPartition): Promise<number> {
    checkSource(source);
    return this.topic(source.topic).next;
  }

  /** As the port says. CORRUPT names the first record that is bad; those before it are returned. */
  async read(source: TopicPartition, from: number, limit: ReadLimit): Promise<LogRecord[]> {
    checkSource(source);
    checkInteger('offset', from, 0);
    checkInteger('limit of records', limit.records, 1);
    checkInteger('limit of bytes', limit.bytes, 0);
    const found = this.select(source.topic, from, limit);
    if (found.records.length > 0) return found.records;
    return this.database.read(() => this.selectAgain(source.topic, from, limit));
  }

  /** Why nothing came: asked and read in one transaction, since another process may trim. */
  private selectAgain(topic: Topic, from: number, limit: ReadLimit): LogRecord[] {
    const range = this.topic(topic);
    checkRange(from, range);
    const { records, damage } = this.select(topic, from, limit);
    if (damage !== null) throw damage;
    if (records.length === 0 && from < range.next) throw this.damage(topic, from, 'is missing');
    return records;
  }

  private select(
    topic: Topic,
    from: number,
    { records: max, bytes: maxBytes }: ReadLimit,
  ): { records: LogRecord[]; damage: LogError | null } {
    const records: LogRecord[] = [];
    let damage: LogError | null = null;
    let bytes = 0;
    const sql = `SELECT * FROM ${TABLES[topic]} WHERE offset >= ? ORDER BY offset LIMIT ?`;
    this.database.each(sql, [from, max], (row) => {
      const offset = from + records.length;
      const record = recordOf(row);
      if (record?.offset !== offset) {
        damage = this.damage(
          topic,
          offset,
          record === null ? 'does not fit its CRC' : 'is missing',
        );
        return false;
      }
      bytes += record.value.length;
      if (records.length > 0 && bytes > maxBytes) return false;
      records.push(record);
      return bytes < maxBytes;
    });
    return { records, damage };
  }

  private damage(topic: Topic, offset: number, what: string): LogError {
    return corrupt(this.database.file, `record ${offset} of ${topic} ${what}`, { offset });
  }

  /**
   * Appends within a transaction. `appendedMs` is `nowMs`, but never below that of an earlier
   * commit: a clock set back must not make time run backwards in the log.
   */
  append(outputs: readonly Output[], nowMs: number): { offsets: number[]; appendedMs: number } {
    const topics = new Map(this.topics().map((row) => [row.topic, row]));
    const appendedMs = Math.max(nowMs, ...[...topics.values()].map((row) => row.appendedMs));
    const offsets: number[] = [];
    for (const { topic, lane, key, value } of outputs) {
      const row = topics.get(topic) as TopicRow;
      const offset = row.next;
      const stored = storedKey(key);
      const crc = recordCrc(offset, lane, stored, value, appendedMs);
      const sql = `INSERT INTO ${TABLES[topic]} VALUES (?, ?, ?, ?, ?, ?)`;
      this.database.run(sql, offset, lane, stored, value, appendedMs, crc);
      row.next += 1;
      row.bytes += value.length;
      row.appendedMs = appendedMs;
      offsets.push(offset);
    }
    const touched = new Set(outputs.map(({ topic }) => topic));
    for (const topic of touched) this.writeTopic(topics.get(topic) as TopicRow);
    return { offsets, appendedMs };
  }

  /**
   * Deletes up to 1,000 of the oldest records before offset `before`, and no more than bring the
   * topic to `maxBytes`; a transaction of its own. Nothing left to delete: `records` is 0.
   */
  trimChunk(
    topic: Topic,
    limit: { before: number; maxBytes: number },
  ): { records: number; bytes: number } {
    return this.database.write(() => {
      const row = this.topic(topic);
      const { start } = row;
      let freed = 0;
      const sql = `SELECT length(value) FROM ${TABLES[topic]} WHERE offset >= ? AND offset < ?
        ORDER BY offset LIMIT ?`;
      this.database.each(sql, [start, limit.before, TRIM_RECORDS], ([size]) => {
        if (row.bytes <= limit.maxBytes) return false;
        row.start += 1;
        row.bytes -= size as number;
        freed += size as number;
        return true;
      });
      if (row.start === start) return { records: 0, bytes: 0 };
      this.database.run(`DELETE FROM ${TABLES[topic]} WHERE offset < ?`, row.start);
      this.writeTopic(row);
      return { records: row.start - start, bytes: freed };
    });
  }

  /** Checks that the offsets of each topic's table are those its row says. Throws CORRUPT. */
  checkEnds(): void {
    for (const { topic, start, next } of this.topics()) {
      const row = this.database.get(`SELECT min(offset), max(offset) FROM ${TABLES[topic]}`);
      const [first, last] = row ?? [];
      const good = start === next ? first === null : first === start && last === next - 1;
      if (!good) throw corrupt(this.database.file, `the ends of ${topic}`);
    }
  }

  /** Bytes of the file and its write-ahead log, and of the unused pages in it. */
  size(): { bytes: number; freeBytes: number } {
    const { database } = this;
    const page = database.pragma('page_size');
    return {
      bytes: database.pragma('page_count') * page + sizeOf(`${database.file}-wal`),
      freeBytes: database.pragma('freelist_count') * page,
    };
  }

  private topic(topic: Topic): TopicRow {
    const row = this.database.get('SELECT * FROM topic WHERE name = ?', topic);
    return this.topicOf(row, topic);
  }

  private topics(): TopicRow[] {
    const rows = this.database.all('SELECT * FROM topic');
    return TOPICS.map((topic) =>
      this.topicOf(
        rows.find(([name]) => name === topic),
        topic,
      ),
    );
  }

  private topicOf(row: Row | undefined, topic: Topic): TopicRow {
    const [name, start, next, bytes, appendedMs, crc] = row ?? [];
    if (crc !== rowCrc([name, start, next, bytes, appendedMs].join('/')) || name !== topic) {
      throw corrupt(this.database.file, `the row of topic ${topic}`);
    }
    return { topic, start, next, bytes, appendedMs } as TopicRow;
  }

  private writeTopic({ topic, start, next, bytes, appendedMs }: TopicRow): void {
    const fields = [topic, start, next, bytes, appendedMs] as const;
    const sql = 'INSERT OR REPLACE INTO topic VALUES (?, ?, ?, ?, ?, ?)';
    this.database.run(sql, ...fields, rowCrc(fields.join('/')));
  }
}

function recordCrc(
  offset: unknown,
  lane: unknown,
  key: unknown,
  value: Uint8Array,
  appendedMs: unknown,
): number {
  return rowCrc(`${offset}/${lane}/${appendedMs}/${key}`, value);
}

/** A record as stored; null when its row is damaged. */
function recordOf(row: Row): LogRecord | null {
  const [offset, lane, key, value, appendedMs, crc] = row;
  if (!(value instanceof Uint8Array) || typeof key !== 'string') return null;
  if (crc !== recordCrc(offset, lane, key, value, appendedMs)) return null;
  return { offset, lane, key: keyOfStored(key), value, appendedMs } as LogRecord;
}
