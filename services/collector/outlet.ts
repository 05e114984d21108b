import type { HostName } from '#event';
import { LogError } from '#log';
import { type FleetTopic, IdempotentWriter, type KafkaClient } from '#log/kafka';
import type { Logger } from '#telemetry';

export interface OutletOptions {
  readonly client: KafkaClient;
  readonly logger: Logger;
  readonly host: HostName;
  readonly topic: FleetTopic;
  /** What goes out here, as a line of the log names it. */
  readonly what: string;
  /** ms of a clock that nobody sets. */
  readonly steady: () => number;
}

/** How long what failed is left alone, at most. */
const RETRY_MS = 15_000;

/**
 * A topic's way to the brokers, on a connection of its own: what hangs or is refused here holds up
 * nothing else. What can't be done is said once, and is the caller's to try again.
 */
export class Outlet {
  private readonly options: OutletOptions;
  private readonly writer: IdempotentWriter;
  private busy: Promise<void> = Promise.resolve();
  private away = false;
  private taken = false;
  private retryMs = 0;
  private closed = false;

  constructor(options: OutletOptions) {
    this.options = options;
    this.writer = new IdempotentWriter(options.client);
  }

  /** Whether the last attempt failed. */
  get isAway(): boolean {
    return this.away;
  }

  /** Whether the brokers took the last record; false also before the first. */
  get isTaken(): boolean {
    return this.taken;
  }

  /** Resolves when the brokers have it. Throws `LogError`. */
  async send(value: Uint8Array): Promise<void> {
    if (this.closed) throw new LogError('CLOSED', 'nothing is sent any more');
    const { host, topic } = this.options;
    await this.writer.send([{ topic, partition: 0, lane: 0, key: host, value }]);
    this.taken = true;
  }

  /** Does `work` after what is being done, unless it is too early after a failure. Never throws. */
  attempt(work: () => Promise<unknown>): Promise<void> {
    this.busy = this.busy.then(() => this.tried(work));
    return this.busy;
  }

  /** Nothing is begun any more, and what hangs is let go. */
  async close(): Promise<void> {
    this.closed = true;
    await this.writer.close();
  }

  private async tried(work: () => Promise<unknown>): Promise<void> {
    if (this.closed || this.options.steady() < this.retryMs) return;
    try {
      await work();
      this.sayThere();
    } catch (error) {
      this.sayAway(error);
    }
  }

  private sayThere(): void {
    const { logger, what } = this.options;
    if (this.away) logger.warn(`${what} are sent again`);
    this.away = false;
  }

  /** Any error, also one of our own: the guard works without this, and must not end with it. */
  private sayAway(error: unknown): void {
    const { logger, what, steady } = this.options;
    // All hosts lose the brokers at the same moment: they must not come back at one.
    this.retryMs = steady() + Math.random() * RETRY_MS;
    this.taken = false;
    if (this.away || this.closed) return;
    this.away = true;
    const code = error instanceof LogError ? error.code : 'UNKNOWN';
    const reason = error instanceof Error ? error.message : String(error);
    logger.error({ code, reason }, `${what} are not sent`);
  }
}
