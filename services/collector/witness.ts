import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { signRecord } from '#chain';
import type { Heartbeat, HostName } from '#event';
import { LogError } from '#log';
import { type FleetTopic, IdempotentWriter, type KafkaClient } from '#log/kafka';
import type { Store } from '#state';
import type { Logger } from '#telemetry';
import { Checkpointing } from './checkpointing.ts';
import { storedLife } from './incarnation.ts';

/** What changes of what a host says of itself. */
export type HostSaid = Pick<
  Heartbeat,
  'mode' | 'capabilities' | 'policy' | 'revision' | 'lag' | 'lost'
>;

export interface WitnessOptions {
  readonly store: Store;
  readonly client: KafkaClient;
  readonly logger: Logger;
  readonly host: HostName;
  readonly key: KeyObject;
  readonly version: string;
  /** The mode as it is now: asked every second. */
  readonly mode: () => string;
  readonly said: () => Promise<HostSaid>;
  readonly acknowledged: () => number;
  readonly now: () => number;
}

export const HEARTBEAT_MS = 15_000;
const LOOK_MS = 1000;

/**
 * Sends this host's heartbeats and checkpoints, under its signature and on a connection of their
 * own. Nothing waits in a queue: what could not be sent is made anew when it is due again.
 */
export class Witness {
  private readonly options: WitnessOptions;
  private readonly writer: IdempotentWriter;
  private readonly checkpointing: Checkpointing;
  private beatDueMs = 0;
  private madeMs = 0;
  private mode: string | null = null;
  private away = false;
  private retryMs = 0;

  constructor(options: WitnessOptions) {
    const { store, host, key, acknowledged, now } = options;
    this.options = options;
    this.writer = new IdempotentWriter(options.client);
    const send = (value: Uint8Array) => this.send('bpf.checkpoints', value);
    this.checkpointing = new Checkpointing({ store, host, key, acknowledged, send, now });
  }

  /** Sends what is due until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(LOOK_MS, null, { signal }).catch(() => null);
    }
  }

  /** Sends what is due now. */
  async look(): Promise<void> {
    const { mode, now } = this.options;
    if (now() < this.retryMs) return;
    try {
      if (now() >= this.beatDueMs || mode() !== this.mode) await this.beat('running');
      await this.checkpointing.step();
      this.sayThere();
    } catch (error) {
      this.sayAway(error);
    }
  }

  /** The last words of a run that was asked to end, where somebody takes them. */
  async finish(): Promise<void> {
    if (this.away) return;
    try {
      await this.checkpointing.finish();
      await this.beat('stopped');
    } catch (error) {
      this.sayAway(error);
    }
  }

  async close(): Promise<void> {
    await this.writer.close();
  }

  private async beat(state: Heartbeat['state']): Promise<void> {
    const { store, host, key, version, said, now } = this.options;
    const life = await storedLife(store);
    if (life === null) return;
    const { incarnation, bootId } = life;
    const whole = await said();
    // Grows, also where the clock is set back: else it would be an old one, sent again.
    this.madeMs = Math.max(this.madeMs + 1, now());
    const record = { host, incarnation, bootId, madeMs: this.madeMs, state, version, ...whole };
    await this.send('bpf.hosts', signRecord('Heartbeat', record, key));
    this.mode = whole.mode;
    this.beatDueMs = now() + HEARTBEAT_MS;
  }

  private async send(topic: FleetTopic, value: Uint8Array): Promise<void> {
    const { host } = this.options;
    await this.writer.send([{ topic, partition: 0, lane: 0, key: host, value }]);
  }

  private sayThere(): void {
    if (this.away) this.options.logger.warn('heartbeats and checkpoints are sent again');
    this.away = false;
  }

  private sayAway(error: unknown): void {
    if (!(error instanceof LogError)) throw error;
    const { code, message: reason } = error;
    const { logger, now } = this.options;
    if (!this.away) logger.error({ code, reason }, 'heartbeats and checkpoints are not sent');
    this.away = true;
    // All hosts lose the brokers at the same moment: they must not come back at one.
    this.retryMs = now() + Math.random() * HEARTBEAT_MS;
  }
}
