import type { StateChange, Store } from '#state';
import type { RingItem } from './rings.ts';

/** Bulk records that the local log had no room for: one run, from the first to the last. */
export interface Shed {
  readonly count: number;
  /** Ring positions of the first and the last. */
  readonly first: number;
  readonly last: number;
}

/** Bytes that the log's file takes, and how many of them are free to be written again. */
interface Size {
  readonly bytes: number;
  readonly freeBytes: number;
}

/** Shedding ends when the log is below this share of its bound. */
const RESUME = 0.9;
/** From this share on nothing is read any more: the rings hold, and count what they lose. */
const HOLD = 1.25;
/** How often the size is asked for. */
const LOOK_MS = 100;
const KEY = 'log/shed';

/**
 * Keeps the local log within its bound while nobody takes what is in it. Full, it sheds records of
 * the bulk ring; a run of them becomes one LOSS event when there is room again, and is kept in the
 * state until then, so that no crash forgets it. Denials, loads and attaches go on until the log is
 * a quarter over its bound.
 */
export class Shedding {
  private readonly limit: number;
  private readonly size: () => Promise<Size>;
  private used = 0;
  private lookedMs = Number.NEGATIVE_INFINITY;
  private isFull = false;
  private run: Shed | null = null;
  private touched = false;

  private constructor(limit: number, size: () => Promise<Size>) {
    this.limit = limit;
    this.size = size;
  }

  /** `limit`: bytes of the log that hold records or state. */
  static async open(store: Pick<Store, 'get' | 'size'>, limit: number): Promise<Shedding> {
    const shedding = new Shedding(limit, () => store.size());
    const stored = await store.get('host', 0, KEY);
    if (stored !== null) shedding.run = JSON.parse(Buffer.from(stored).toString()) as Shed;
    return shedding;
  }

  /** Looks how full the log is, now and then; `nowMs` by a clock that nobody sets. */
  async look(nowMs: number): Promise<void> {
    if (nowMs - this.lookedMs < LOOK_MS) return;
    this.lookedMs = nowMs;
    const { bytes, freeBytes } = await this.size();
    this.judge(bytes - freeBytes);
  }

  /** Counts what was stored since the last look, in bytes: much fits between two looks. */
  wrote(bytes: number): void {
    this.judge(this.used + bytes);
  }

  private judge(used: number): void {
    this.used = used;
    this.isFull = used >= this.limit * (this.isFull ? RESUME : 1);
  }

  /** Nothing may be read. */
  get holds(): boolean {
    return this.used >= this.limit * HOLD;
  }

  /** The items that are to be stored: all, or without those of the bulk ring. */
  admit(items: readonly RingItem[]): readonly RingItem[] {
    if (!this.isFull) return items;
    const kept = items.filter(({ ring }) => ring !== 'bulk');
    const shed = items.filter(({ ring }) => ring === 'bulk');
    const [first] = shed;
    const last = shed.at(-1);
    if (first === undefined || last === undefined) return kept;
    const count = (this.run?.count ?? 0) + shed.length;
    this.run = { count, first: this.run?.first ?? first.position, last: last.position };
    this.touched = true;
    return kept;
  }

  /** The run that is over, once; null while it goes on. */
  ended(): Shed | null {
    const { run } = this;
    if (this.isFull || run === null) return null;
    this.run = null;
    this.touched = true;
    return run;
  }

  /** State to commit with what was stored instead. */
  changes(): StateChange[] {
    if (!this.touched) return [];
    this.touched = false;
    const value = this.run === null ? null : Buffer.from(JSON.stringify(this.run));
    return [{ space: 'host', lane: 0, key: KEY, value }];
  }
}
