import { setTimeout as sleep } from 'node:timers/promises';
import {
  decode,
  EventError,
  formatEventId,
  isTraced,
  schemaOf,
  traceIds,
  traceparent,
} from '#event';
import { LogError, type LogRecord, readPast } from '#log';
import {
  IdempotentWriter,
  type KafkaClient,
  KafkaLog,
  type Outgoing,
  partitionOf,
} from '#log/kafka';
import type { Store } from '#state';
import type { Logger, Tracer } from '#telemetry';

export interface ForwarderOptions {
  readonly store: Store;
  readonly client: KafkaClient;
  readonly logger: Logger;
  /** Told of events that go unsent, because nobody took them for `AGE_MAX_MS`. */
  readonly onAged: (events: number) => void;
  readonly now: () => number;
  readonly tracer?: Tracer | null;
}

/** How far the fleet has what this host has stored. */
export interface ForwarderStatus {
  /** Next offset of the local log to be sent. */
  readonly next: number;
  readonly sent: number;
  /** For how long nothing could be sent; 0: it can. */
  readonly awayMs: number;
}

const SOURCE = { topic: 'bpf.events', partition: 0 } as const;
/** Its position in the local log: behind everything that the brokers have acknowledged. */
export const FORWARDER_POSITION = 'forwarder/bpf.events/0';
/** What nobody took for so long is given up: 30 days. */
export const AGE_MAX_MS = 30 * 24 * 3_600_000;
const DELAY = { firstMs: 100, maxMs: 15_000 } as const;
const IDLE_MS = 1000;
/** How often its position is stored, at most. */
const SAVE_MS = 1000;
/** How long brokers that hang may hold up the end. */
const CLOSE_MS = 1000;

/**
 * Carries the local log to Kafka: in its order, so in the order of each lane, one batch at a time.
 * The position moves only behind what all replicas in sync have, and is stored now and then; a
 * batch that may or may not have arrived is sent again, as is what was sent since the position was
 * stored last, and whoever folds it knows it by its ids.
 */
export class Forwarder {
  private readonly options: ForwarderOptions;
  private readonly writer: IdempotentWriter;
  private readonly log: KafkaLog;
  private next = 0;
  /** As it is stored, and since when: this and the next by a clock that nobody sets. */
  private saved = 0;
  private savedMs = 0;
  private sent = 0;
  private awaySinceMs: number | null = null;

  private constructor(options: ForwarderOptions) {
    this.options = options;
    this.writer = new IdempotentWriter(options.client);
    this.log = new KafkaLog(options.client);
  }

  /** A host that was for itself meanwhile may have trimmed what was not sent. */
  static async open(options: ForwarderOptions): Promise<Forwarder> {
    const forwarder = new Forwarder(options);
    const start = await options.store.log.start(SOURCE);
    const position = Number((await options.store.position(FORWARDER_POSITION)) ?? start);
    if (position < start) {
      const records = start - position;
      options.logger.error({ records }, 'trimmed before they were sent: the fleet sees a gap');
    }
    forwarder.next = Math.max(position, start);
    forwarder.saved = position;
    return forwarder;
  }

  get status(): ForwarderStatus {
    const { next, sent, awayMs } = this;
    return { next, sent, awayMs };
  }

  private get awayMs(): number {
    return this.awaySinceMs === null ? 0 : performance.now() - this.awaySinceMs;
  }

  /** Sends what is stored, and waits for more, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { store } = this.options;
    let wake = Promise.withResolvers<void>();
    const unsubscribe = store.onCommit(() => wake.resolve());
    const stop = () => wake.resolve();
    signal.addEventListener('abort', stop);
    try {
      for (let delayMs: number = DELAY.firstMs; !signal.aborted; ) {
        wake = Promise.withResolvers<void>();
        try {
          const more = await this.step();
          delayMs = DELAY.firstMs;
          await this.saveInTime();
          if (!more) await Promise.race([wake.promise, sleep(IDLE_MS, null, { ref: false })]);
        } catch (error) {
          this.sayAway(error);
          // All hosts lose the brokers at the same moment: they must not come back at one.
          await sleep(Math.random() * delayMs, null, { signal }).catch(() => null);
          delayMs = Math.min(2 * delayMs, DELAY.maxMs);
        }
      }
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', stop);
    }
  }

  /** Sends one batch. False: there was nothing. */
  async step(): Promise<boolean> {
    const { store, logger } = this.options;
    const { records, damaged, next } = await readPast(store.log, SOURCE, this.next);
    if (await this.giveUpAged(records)) return true;
    if (damaged !== null) {
      logger.error({ reason: damaged.message }, 'a record cannot be read: the fleet sees a gap');
    } else if (records.length === 0) return false;
    if (records.length > 0) {
      const partitions = await this.log.partitions('bpf.events');
      const ways = this.options.tracer == null ? [] : records.map(waysOf);
      await this.writer.send(
        records.map((record, n) => outgoing(record, partitions, ways[n]?.[0]?.id)),
      );
      this.trace(ways.flat());
    }
    this.next = next;
    this.sent += records.length;
    if (this.awaySinceMs !== null) {
      logger.warn({ seconds: this.awayMs / 1000 }, 'kafka is there again');
      this.awaySinceMs = null;
    }
    return true;
  }

  /** The log is bounded by age, too: goes on behind what is too old, kafka or not. */
  private async giveUpAged(records: readonly LogRecord[]): Promise<boolean> {
    const { logger, now, onAged } = this.options;
    const oldestMs = now() - AGE_MAX_MS;
    const aged = records.filter(({ appendedMs }) => appendedMs < oldestMs);
    const last = aged.at(-1);
    if (last === undefined) return false;
    const events = aged.reduce((sum, record) => sum + eventsIn(record), 0);
    logger.error({ events }, 'events that kafka did not take for 30 days are given up');
    // Said once it is settled: a position that could not be stored is tried again.
    await this.save(last.offset + 1);
    onAged(events);
    return true;
  }

  private async saveInTime(): Promise<void> {
    if (performance.now() - this.savedMs >= SAVE_MS) await this.save(this.next);
  }

  private async save(next: number): Promise<void> {
    if (this.saved === next) return;
    const position = [{ source: FORWARDER_POSITION, next: BigInt(next) }];
    await this.options.store.commit({ outputs: [], state: [], position });
    this.next = next;
    this.saved = next;
    this.savedMs = performance.now();
  }

  private trace(ways: readonly Way[]): void {
    const sentMs = Date.now();
    for (const { id, principal, command, decision, actMs, storedMs } of ways) {
      const attributes = { event: id, principal, command, decision };
      const { tracer } = this.options;
      const store = { name: 'store', ids: traceIds(id, 'store'), startMs: actMs, endMs: storedMs };
      tracer?.span({ ...store, attributes });
      const send = { name: 'send', ids: traceIds(id, 'send'), startMs: storedMs, endMs: sentMs };
      tracer?.span({ ...send, attributes });
    }
  }

  private sayAway(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const code = error instanceof LogError ? error.code : 'UNKNOWN';
    if (this.awaySinceMs !== null) return;
    this.awaySinceMs = performance.now();
    this.options.logger.error({ code, reason }, 'events stay on this host until kafka takes them');
  }

  /** Records of the local log that the fleet does not have yet. */
  async lag(): Promise<number> {
    return (await this.options.store.log.end(SOURCE)) - this.next;
  }

  /** Stores its position, where the store takes it: else some of what was sent is sent again. */
  async close(): Promise<void> {
    await this.save(this.next).catch((error) => {
      if (!(error instanceof LogError) || !error.retriable) throw error;
    });
    const closed = Promise.all([this.writer.close(), this.log.close()]);
    await Promise.race([closed, sleep(CLOSE_MS)]);
  }
}

/** An event that is traced, from the act to the local log. */
interface Way {
  readonly id: string;
  readonly principal: string;
  readonly command: string;
  readonly decision: string;
  readonly actMs: number;
  readonly storedMs: number;
}

/** Events of a frame; a record that is none, or can't be read, counts as one. */
function eventsIn({ value }: LogRecord): number {
  try {
    return schemaOf(value) === 'Frame' ? decode('Frame', value).events.length : 1;
  } catch (error) {
    if (error instanceof EventError) return 1;
    throw error;
  }
}

/** What of a record is traced. What can't be read is for the enricher to say. */
function waysOf({ value, appendedMs: storedMs }: LogRecord): Way[] {
  try {
    if (schemaOf(value) !== 'Frame') return [];
    const { host, incarnation, lane, first, events } = decode('Frame', value);
    return events.flatMap((bytes, n) => {
      const event = decode('Event', bytes);
      const sequence = first + n;
      if (!isTraced(event, sequence)) return [];
      const id = formatEventId({ host, incarnation, lane, sequence } as never);
      const { principal, timeUs } = event;
      const { command } = event.act;
      const { decision } = event.verdict;
      return [{ id, principal, command, decision, actMs: timeUs / 1000, storedMs }];
    });
  } catch (error) {
    if (error instanceof EventError) return [];
    throw error;
  }
}

/** The header is that of the first event that is traced: a frame has many, a header one. */
function outgoing(
  { lane, key, value }: LogRecord,
  partitions: number,
  traced: string | undefined,
): Outgoing {
  const record = { partition: partitionOf(lane, partitions), lane, key, value };
  if (traced === undefined) return { topic: 'bpf.events', ...record };
  const headers = { traceparent: traceparent(traced, 'send') };
  return { topic: 'bpf.events', ...record, headers };
}
