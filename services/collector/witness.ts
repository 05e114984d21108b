import type { KeyObject } from 'node:crypto';
import { CLOCKS_APART_MS, signRecord } from '#chain';
import type { Heartbeat, HostName } from '#event';
import type { KafkaClient } from '#log/kafka';
import type { Store } from '#state';
import type { Logger } from '#telemetry';
import { Checkpointing } from './checkpointing.ts';
import { storedLife } from './incarnation.ts';
import { Outlet } from './outlet.ts';

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
  /** ms since 1970: what records say. */
  readonly now: () => number;
  /** ms of a clock that nobody sets: what is due, and when it is tried again. */
  readonly steady: () => number;
}

export const HEARTBEAT_MS = 15_000;
const LOOK_MS = 1000;
/** The last words take no longer: the monitor kills after 10 s. */
export const LAST_MS = 2000;

/**
 * Sends this host's heartbeats and checkpoints, under its signature. Each goes its own way: neither
 * waits for the other. No heartbeat waits in a queue: one that could not be sent is made anew when
 * it is due again. Nothing here ever throws: a host is guarded without it.
 */
export class Witness {
  private readonly options: WitnessOptions;
  private readonly beats: Outlet;
  private readonly checkpoints: Outlet;
  private readonly checkpointing: Checkpointing;
  private beatDueMs = 0;
  private madeMs = 0;
  private mode: string | null = null;

  constructor(options: WitnessOptions) {
    this.options = options;
    this.beats = new Outlet({ ...options, topic: 'bpf.hosts', what: 'heartbeats' });
    this.checkpoints = new Outlet({ ...options, topic: 'bpf.checkpoints', what: 'checkpoints' });
    const send = (value: Uint8Array) => this.checkpoints.send(value);
    this.checkpointing = new Checkpointing({ ...options, send });
  }

  /** Whether the brokers took the last of each. */
  get status(): { readonly heartbeats: boolean; readonly checkpoints: boolean } {
    return { heartbeats: this.beats.isTaken, checkpoints: this.checkpoints.isTaken };
  }

  /** Sends what is due until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      everySecond(() => this.beatWhereDue(), signal),
      everySecond(() => this.checkpointWhereDue(), signal),
    ]);
  }

  beatWhereDue(): Promise<void> {
    const { mode, steady } = this.options;
    return this.beats.attempt(async () => {
      if (steady() >= this.beatDueMs || mode() !== this.mode) await this.beat('running');
    });
  }

  checkpointWhereDue(): Promise<void> {
    return this.checkpoints.attempt(() => this.checkpointing.step());
  }

  /** The last words of a run that was asked to end, where somebody takes them in time. */
  async finish(): Promise<void> {
    await within(LAST_MS, this.sayLast());
    void this.close();
  }

  private async sayLast(): Promise<void> {
    const { beats, checkpoints } = this;
    if (!checkpoints.isAway) {
      // One that hangs leaves time for the heartbeat.
      const last = checkpoints.attempt(() => this.checkpointing.finish());
      await within(LAST_MS / 2, last);
    }
    if (!beats.isAway) await beats.attempt(() => this.beat('stopped'));
    await this.close();
  }

  private async close(): Promise<void> {
    await Promise.all([this.beats.close(), this.checkpoints.close()]);
  }

  private async beat(state: Heartbeat['state']): Promise<void> {
    const { store, host, key, version, said, steady } = this.options;
    const life = await storedLife(store);
    if (life === null) return;
    const { incarnation, bootId } = life;
    const whole = await said();
    const checkpoint = await this.checkpointing.number();
    this.madeMs = this.nextMade();
    const about = { host, incarnation, bootId, madeMs: this.madeMs, state, version };
    await this.beats.send(signRecord('Heartbeat', { ...about, ...whole, checkpoint }, key));
    this.mode = whole.mode;
    this.beatDueMs = steady() + HEARTBEAT_MS;
  }

  /**
   * Grows, also where the clock is set back a little: else it would be an old one, sent again.
   * Those of a clock far ahead nobody has believed, and there is nothing to grow from.
   */
  private nextMade(): number {
    const nowMs = this.options.now();
    return this.madeMs - nowMs > CLOCKS_APART_MS ? nowMs : Math.max(this.madeMs + 1, nowMs);
  }
}

async function everySecond(look: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await look();
    await pause(LOOK_MS, signal);
  }
}

/** Waits, or less when the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', end);
}

/** Waits for what never throws, but no longer than that. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const over = new AbortController();
  await Promise.race([work.then(() => over.abort()), pause(ms, over.signal)]);
}
