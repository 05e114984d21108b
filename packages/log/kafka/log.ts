import { laneOf, type PrincipalKey } from '#event';
import { LogError } from '../errors.ts';
import { checkInteger, checkRange } from '../limits.ts';
import type { Log, LogRecord, ReadLimit, TopicPartition } from '../port.ts';
import { keyOfStored } from '../rows.ts';
import type { KafkaClient } from './client.ts';
import { toKafkaError } from './errors.ts';
import { type Asked, Fetcher, type Isolation, type Place } from './fetcher.ts';
import { type RawMessage, type RawPartition, visibleOf } from './raw.ts';
import { checkTopic, type FleetTopic } from './topics.ts';

/** A record of Kafka; a null value is a tombstone. */
export interface KafkaRecord extends Omit<LogRecord, 'value'> {
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

type Whole = KafkaRecord & { readonly value: Uint8Array };

/** Records that were fetched and not yet read: from `from` up to `next`. */
interface Ahead {
  readonly from: number;
  readonly records: readonly KafkaRecord[];
  /** Behind all that was seen, also what a reader may not see. */
  readonly next: number;
  /** Who waited has just heard that nothing is behind it: the next read need not ask again. */
  isHeard: boolean;
}

const FETCH_BYTES = 1024 * 1024;

/**
 * Topics of Kafka behind the port. Offsets grow but are not dense: markers of transactions take
 * some, and compaction leaves holes. `committed` reads what no open transaction may still undo.
 */
export class KafkaLog implements Log {
  private readonly fetcher: Fetcher;
  private readonly isolation: Isolation;
  private readonly ahead = new Map<string, Ahead>();
  private readonly counts = new Map<FleetTopic, number>();
  private readonly ends = new Map<string, number>();

  constructor(client: KafkaClient, isolation: Isolation = 'committed') {
    this.fetcher = new Fetcher(client, isolation);
    this.isolation = isolation;
  }

  async partitions(topic: FleetTopic): Promise<number> {
    checkTopic(topic);
    const known = this.counts.get(topic);
    if (known !== undefined) return known;
    const count = await this.fetcher.partitions(topic);
    this.counts.set(topic, count);
    return count;
  }

  async start(place: Place): Promise<number> {
    checkTopic(place.topic);
    return this.fetcher.edge(place, 'start');
  }

  async end(place: Place): Promise<number> {
    checkTopic(place.topic);
    const end = await this.fetcher.edge(place, 'end');
    this.ends.set(keyOf(place), end);
    return end;
  }

  /** The end of a partition as the last answer had it; 0 before the first. Asks nobody. */
  seenEnd(place: Place): number {
    return this.ends.get(keyOf(place)) ?? 0;
  }

  /** Offset that a group has committed for a partition; null: none. */
  async committed(group: string, place: Place): Promise<number | null> {
    return this.fetcher.committed(group, place);
  }

  /** As the port says. Tombstones are for those who ask for them: here they are passed over. */
  async read(source: TopicPartition, from: number, limit: ReadLimit): Promise<LogRecord[]> {
    for (let at = from; ; ) {
      const { records, next } = await this.readSparse(source, at, limit);
      const whole = records.filter((record): record is Whole => record.value !== null);
      if (whole.length > 0 || next === at) {
        // What was fetched ahead is read again by whoever begins anew: it stays ours.
        return whole.map(({ offset, lane, key, value, appendedMs }) => {
          return { offset, lane, key, value: new Uint8Array(value), appendedMs };
        });
      }
      at = next;
    }
  }

  /** Records and tombstones from `from` on, and where to go on. */
  async readSparse(
    place: Place,
    from: number,
    limit: ReadLimit,
  ): Promise<{ records: KafkaRecord[]; next: number }> {
    checkTopic(place.topic);
    checkInteger('offset', from, 0);
    checkInteger('limit of records', limit.records, 1);
    checkInteger('limit of bytes', limit.bytes, 0);
    for (let at = from; ; ) {
      const here = this.ahead.get(keyOf(place));
      const usable = here !== undefined && at >= here.from && at < here.next;
      if (here?.isHeard && at === here.next) {
        here.isHeard = false;
        return { records: [], next: at };
      }
      const buffered = usable ? here : await this.fetchOne({ ...place, from: at });
      const records = within(buffered, at, limit);
      const last = records.at(-1);
      if (last !== undefined) return { records, next: last.offset + 1 };
      if (buffered.next <= at) return { records: [], next: at };
      at = buffered.next;
    }
  }

  /**
   * Waits until there is something behind one of these places, `waitMs` at most. Of a place where
   * there is nothing the next read knows.
   */
  async awaitMore(asked: readonly Asked[], waitMs: number): Promise<void> {
    const places = asked.map((one) => ({ ...one, from: this.skipped(one) }));
    if (places.some((one) => this.hasAhead(one))) return;
    try {
      const found = await this.fetcher.fetch(places, { bytes: FETCH_BYTES, waitMs });
      for (const { place, data } of found) this.keep(place, places, data);
    } catch (error) {
      // Whoever reads next meets it too, and knows which end was passed.
      if (!(error instanceof LogError) || error.code !== 'TRIMMED') throw error;
    }
  }

  async close(): Promise<void> {
    await this.fetcher.close();
    this.ahead.clear();
  }

  private hasAhead(one: Asked): boolean {
    const here = this.ahead.get(keyOf(one));
    return here?.records.some(({ offset }) => offset >= one.from) ?? false;
  }

  /** Behind what was looked at already and had nothing to see. */
  private skipped(one: Asked): number {
    const here = this.ahead.get(keyOf(one));
    if (here === undefined || one.from < here.from || one.from >= here.next) return one.from;
    return this.hasAhead(one) ? one.from : here.next;
  }

  private keep(place: Place, asked: readonly Asked[], data: RawPartition): void {
    const from = asked.find((one) => keyOf(one) === keyOf(place))?.from ?? 0;
    const ahead = this.aheadOf(from, data);
    this.remember(place, { ...ahead, isHeard: ahead.next === from });
    this.ends.set(keyOf(place), this.endOf(data));
  }

  private async fetchOne(asked: Asked): Promise<Ahead> {
    try {
      const [found] = await this.fetcher.fetch([asked], { bytes: FETCH_BYTES, waitMs: 0 });
      const ahead = this.aheadOf(asked.from, found?.data ?? null);
      this.remember(asked, ahead);
      if (found !== undefined) this.ends.set(keyOf(asked), this.endOf(found.data));
      return ahead;
    } catch (error) {
      const failed = toKafkaError(error, `read ${asked.topic}`);
      if (failed.code !== 'TRIMMED') throw failed;
      const [start, next] = [await this.start(asked), await this.end(asked)];
      checkRange(asked.from, { start, next });
      return { from: asked.from, records: [], next: asked.from, isHeard: false };
    }
  }

  /**
   * With what lies between the last record before it and itself: whoever waits there has nothing to
   * see of that, such as the end of a transaction, and would be woken by it without end.
   */
  private remember(place: Place, ahead: Ahead): void {
    const before = this.ahead.get(keyOf(place));
    const follows = before?.next === ahead.from;
    const from = follows ? (before.records.at(-1)?.offset ?? before.from - 1) + 1 : ahead.from;
    this.ahead.set(keyOf(place), { ...ahead, from });
  }

  private endOf({ lastStableOffset, highWatermark }: RawPartition): number {
    return Number(this.isolation === 'committed' ? lastStableOffset : highWatermark);
  }

  private aheadOf(from: number, data: RawPartition | null): Ahead {
    if (data === null) return { from, records: [], next: from, isHeard: false };
    const messages = data.messages.filter(({ offset }) => Number(offset) >= from);
    const last = messages.at(-1);
    const end = this.endOf(data);
    // A batch that compaction has emptied has no message that says where it ends.
    const next = last !== undefined ? Number(last.offset) + 1 : from < end ? from + 1 : from;
    const records = visibleOf({ ...data, messages }).map(recordOf);
    return { from, records, next, isHeard: false };
  }
}

function keyOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}

function within({ records }: Ahead, from: number, limit: ReadLimit): KafkaRecord[] {
  const found: KafkaRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (record.offset < from) continue;
    bytes += record.value?.length ?? 0;
    if (found.length > 0 && bytes > limit.bytes) break;
    found.push(record);
    if (found.length >= limit.records) break;
  }
  return found;
}

/** Without a prototype: their names are whatever somebody sent. */
function headersOf(found: RawMessage['headers']): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(found)) headers[name] = value?.toString() ?? '';
  return headers;
}

function recordOf({ offset, key, value, timestamp, headers }: RawMessage): KafkaRecord {
  const text = keyOfStored(key?.toString() ?? '');
  const said = headers.lane?.toString() ?? '';
  const lane = /^\d{1,2}$/.test(said) ? Number(said) % 64 : laneOf(text as PrincipalKey);
  return {
    offset: Number(offset),
    lane,
    key: text,
    value,
    headers: headersOf(headers),
    appendedMs: Number(timestamp),
  };
}
