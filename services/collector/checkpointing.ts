import type { KeyObject } from 'node:crypto';
import { signRecord } from '#chain';
import type { HostName, Incarnation, LaneHead } from '#event';
import type { StateChange, Store } from '#state';
import { storedLife } from './incarnation.ts';
import { storedHeads } from './lanes.ts';

export interface CheckpointingOptions {
  readonly store: Store;
  readonly host: HostName;
  readonly key: KeyObject;
  /** Next offset of the local log of which the brokers have not acknowledged all. */
  readonly acknowledged: () => number;
  /** Resolves when the brokers have it. */
  readonly send: (value: Uint8Array) => Promise<void>;
  /** ms since 1970: what a checkpoint says. */
  readonly now: () => number;
  /** ms of a clock that nobody sets: what is due. */
  readonly steady: () => number;
}

/** Heads as they were stored at one moment, and the end of the local log just after it. */
interface Taken {
  readonly incarnation: Incarnation;
  readonly heads: readonly LaneHead[];
  readonly end: number;
}

/** What of numbers is remembered over runs. */
interface Numbered {
  /** Of the last checkpoint that the brokers acknowledged; 0: none. */
  readonly number: number;
  /** When that was made, ms since 1970. */
  readonly madeMs: number;
  /** What the next number stands for: from before it is first sent until the brokers have it. */
  readonly pending: Taken | null;
}

const SOURCE = { topic: 'bpf.events', partition: 0 } as const;
const KEY = 'checkpoint';
export const CHECKPOINT_MS = 60_000;
/** One of a host where nothing happens: the last must not be gone while heartbeats name it. */
export const QUIET_MS = 24 * 3_600_000;

/**
 * Signs where the lanes stand. Heads are taken as they are stored, and signed once the brokers have
 * acknowledged all of the log up to there: whoever verifies finds in `bpf.events` what was signed.
 * A number stands for the same heads forever: one whose fate is unknown is sent again with them,
 * also by the run after this one, before any other.
 */
export class Checkpointing {
  private readonly options: CheckpointingOptions;
  private taken: Taken | null = null;
  private numbered: Numbered | null = null;
  /** The first is due at once: from there on it is known what the brokers must have. */
  private dueMs = 0;
  /** End of the local log at the last checkpoint. */
  private signedEnd = -1;
  /** From then on one is due though nothing has changed. */
  private quietDueMs = 0;

  constructor(options: CheckpointingOptions) {
    this.options = options;
  }

  /** Of the last checkpoint that the brokers acknowledged; 0: none. */
  async number(): Promise<number> {
    return (await this.remembered()).number;
  }

  /** Sends a checkpoint where one is due. Throws what `send` and the store throw. */
  async step(): Promise<boolean> {
    if (await this.sendPending()) return true;
    if (this.taken === null && this.options.steady() < this.dueMs) return false;
    this.taken ??= await this.take();
    return this.settle();
  }

  /** The last of a run, where the brokers have all that was stored. */
  async finish(): Promise<boolean> {
    await this.sendPending();
    this.taken = await this.take();
    return this.settle();
  }

  private async take(): Promise<Taken | null> {
    const { store } = this.options;
    const life = await storedLife(store);
    if (life === null) return null;
    const { incarnation } = life;
    const heads = await storedHeads(store, incarnation);
    return { incarnation, heads, end: await store.log.end(SOURCE) };
  }

  private async settle(): Promise<boolean> {
    const { taken } = this;
    const { steady, acknowledged } = this.options;
    if (taken === null || acknowledged() < taken.end) return false;
    if (taken.end !== this.signedEnd || steady() >= this.quietDueMs) {
      const { number, madeMs } = await this.remembered();
      await this.remember({ number, madeMs, pending: taken });
    }
    this.taken = null;
    this.dueMs = steady() + CHECKPOINT_MS;
    return this.sendPending();
  }

  /** Returns whether there was one. */
  private async sendPending(): Promise<boolean> {
    const { host, key, now, steady, send } = this.options;
    const { number: last, madeMs: previousMs, pending } = await this.remembered();
    if (pending === null) return false;
    const { incarnation, heads, end } = pending;
    const number = last + 1;
    const madeMs = now();
    const record = { host, incarnation, madeMs, number, previousMs, heads };
    await send(signRecord('Checkpoint', record, key));
    await this.remember({ number, madeMs, pending: null });
    this.signedEnd = end;
    this.quietDueMs = steady() + QUIET_MS;
    return true;
  }

  private async remembered(): Promise<Numbered> {
    this.numbered ??= await storedNumbers(this.options.store);
    return this.numbered;
  }

  private async remember(numbered: Numbered): Promise<void> {
    const state = [numbersChange(numbered)];
    await this.options.store.commit({ outputs: [], state, position: [] });
    this.numbered = numbered;
  }
}

async function storedNumbers(store: Store): Promise<Numbered> {
  const stored = await store.get('host', 0, KEY);
  if (stored === null) return { number: 0, madeMs: 0, pending: null };
  return JSON.parse(Buffer.from(stored).toString(), (key, value) =>
    key === 'hash' ? Buffer.from(value, 'hex') : value,
  ) as Numbered;
}

function numbersChange({ number, madeMs, pending }: Numbered): StateChange {
  const heads = pending?.heads.map((head) => {
    return { ...head, hash: Buffer.from(head.hash).toString('hex') };
  });
  const value = JSON.stringify({
    number,
    madeMs,
    pending: pending === null ? null : { ...pending, heads },
  });
  return { space: 'host', lane: 0, key: KEY, value: Buffer.from(value) };
}
