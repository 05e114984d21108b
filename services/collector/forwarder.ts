import { setTimeout as sleep } from 'node:timers/promises';
import { LogError, type LogRecord, readPast } from '#log';
import {
  IdempotentWriter,
  type KafkaClient,
  KafkaLog,
  type Outgoing,
  partitionOf,
} from '#log/kafka';
import type { Store } from '#state';
import type { Logger } from '#telemetry';

export interface ForwarderOptions {
  readonly store: Store;
  readonly client: KafkaClient;
  readonly logger: Logger;
}

/** How far the fleet has what this host has stored. */
export interface ForwarderStatus {
  /** Next offset of the local log to be sent. */
  readonly next: number;
  readonly sent: number;
  /** Since when nothing could be sent, ms since 1970; null: it can. */
  readonly awaySinceMs: number | null;
}

const SOURCE = { topic: 'bpf.events', partition: 0 } as const;
/** Its position in the local log: behind everything that the brokers have acknowledged. */
export const FORWARDER_POSITION = 'forwarder/bpf.events/0';
const DELAY = { firstMs: 100, maxMs: 15_000 } as const;
const IDLE_MS = 1000;

/**
 * Carries the local log to Kafka: in its order, so in the order of each lane, one batch at a time.
 * The position moves only behind what all replicas in sync have; a batch that may or may not have
 * arrived is sent again, and whoever folds it knows it by its ids.
 */
export class Forwarder {
  private readonly options: ForwarderOptions;
  private readonly writer: IdempotentWriter;
  private readonly log: KafkaLog;
  private next = 0;
  private sent = 0;
  private awaySinceMs: number | null = null;

  private constructor(options: ForwarderOptions) {
    this.options = options;
    this.writer = new IdempotentWriter(options.client);
    this.log = new KafkaLog(options.client);
  }

  static async open(options: ForwarderOptions): Promise<Forwarder> {
    const forwarder = new Forwarder(options);
    const position = await options.store.position(FORWARDER_POSITION);
    forwarder.next = Number(position ?? (await options.store.log.start(SOURCE)));
    return forwarder;
  }

  get status(): ForwarderStatus {
    const { next, sent, awaySinceMs } = this;
    return { next, sent, awaySinceMs };
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
    if (damaged !== null) {
      logger.error({ reason: damaged.message }, 'a record cannot be read: the fleet sees a gap');
    } else if (records.length === 0) return false;
    if (records.length > 0) {
      const partitions = await this.log.partitions('bpf.events');
      await this.writer.send(records.map((record) => outgoing(record, partitions)));
    }
    const position = [{ source: FORWARDER_POSITION, next: BigInt(next) }];
    await store.commit({ outputs: [], state: [], position });
    this.next = next;
    this.sent += records.length;
    if (this.awaySinceMs !== null) {
      logger.warn({ seconds: (Date.now() - this.awaySinceMs) / 1000 }, 'kafka is there again');
      this.awaySinceMs = null;
    }
    return true;
  }

  private sayAway(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const code = error instanceof LogError ? error.code : 'UNKNOWN';
    if (this.awaySinceMs !== null) return;
    this.awaySinceMs = Date.now();
    this.options.logger.error({ code, reason }, 'events stay on this host until kafka takes them');
  }

  /** Records of the local log that the fleet does not have yet. */
  async lag(): Promise<number> {
    return (await this.options.store.log.end(SOURCE)) - this.next;
  }

  async close(): Promise<void> {
    await Promise.all([this.writer.close(), this.log.close()]);
  }
}

function outgoing({ lane, key, value }: LogRecord, partitions: number): Outgoing {
  return { topic: 'bpf.events', partition: partitionOf(lane, partitions), lane, key, value };
}
