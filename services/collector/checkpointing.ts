import type { KeyObject } from 'node:crypto';
import { signRecord } from '#chain';
import type { HostName, Incarnation, LaneHead } from '#event';
import type { Store } from '#state';
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
  readonly now: () => number;
}

/** Heads as they were stored at one moment, and the end of the local log just after it. */
interface Taken {
  readonly incarnation: Incarnation;
  readonly heads: readonly LaneHead[];
  readonly end: number;
}

const SOURCE = { topic: 'bpf.events', partition: 0 } as const;
export const CHECKPOINT_MS = 60_000;

/**
 * Signs where the lanes stand. Heads are taken as they are stored, and signed once the brokers have
 * acknowledged all of the log up to there: whoever verifies finds in `bpf.events` what was signed.
 */
export class Checkpointing {
  private readonly options: CheckpointingOptions;
  private taken: Taken | null = null;
  /** The first is due at once: from there on it is known what the brokers must have. */
  private dueMs = 0;
  /** End of the local log at the last checkpoint. */
  private signedEnd = -1;

  constructor(options: CheckpointingOptions) {
    this.options = options;
  }

  /** Sends a checkpoint where one is due. Throws what `send` throws; the next one is another. */
  async step(): Promise<boolean> {
    const { now } = this.options;
    if (this.taken === null && now() < this.dueMs) return false;
    this.taken ??= await this.take();
    return this.settle({ clean: false });
  }

  /** The last of a run, where the brokers have all that was stored. */
  async finish(): Promise<boolean> {
    this.taken = await this.take();
    return this.settle({ clean: true });
  }

  private async take(): Promise<Taken | null> {
    const { store } = this.options;
    const life = await storedLife(store);
    if (life === null) return null;
    const { incarnation } = life;
    const heads = await storedHeads(store, incarnation);
    return { incarnation, heads, end: await store.log.end(SOURCE) };
  }

  private async settle({ clean }: { clean: boolean }): Promise<boolean> {
    const { taken } = this;
    const { host, key, now, acknowledged, send } = this.options;
    if (taken === null || acknowledged() < taken.end) return false;
    this.taken = null;
    const { incarnation, heads, end } = taken;
    if (end === this.signedEnd && !clean) {
      this.dueMs = now() + CHECKPOINT_MS;
      return false;
    }
    const record = { host, incarnation, madeMs: now(), clean, heads };
    await send(signRecord('Checkpoint', record, key));
    this.signedEnd = end;
    this.dueMs = now() + CHECKPOINT_MS;
    return true;
  }
}
