import { setImmediate as turn } from 'node:timers/promises';
import { Watch } from '#bpf';
import type { Event } from '#event';
import type { Collector } from './collector.ts';

/**
 * Records of the bulk ring wait so long for others: one commit and one send take them all. Nothing
 * in it opens, makes or changes anything (`wd_ring_of` in `bpf/lib/attr.h`).
 */
const LINGER_MS = 250;
/** Events of our own are in no ring: a kill would lose them. */
const OWN_LINGER_MS = 100;
/** Meanwhile it is looked how full the rings are: they must not overflow while they are let be. */
const LOOK_MS = 20;
/** Even those that wake us at once come together, where they come one after another. */
const PAUSE_MS = 5;
const REST_MS = 1000;

type Wanted = 'nothing' | 'urgent' | 'anything';

/** Drives a collector: what is refused, made or attached is stored at once, the rest in batches. */
export class Drain {
  private readonly collector: Collector;
  private readonly masks: Readonly<Record<Wanted, number>>;
  private rouse: () => void = () => undefined;
  private waitsFor: Wanted = 'nothing';
  private hasOwn = false;
  private stopping = false;
  private abandoned = false;

  constructor(collector: Collector) {
    this.collector = collector;
    const all = collector.fds.reduce((mask, _, n) => mask | (1 << n), 0);
    this.masks = { nothing: 0, urgent: all & ~collector.bulkMask, anything: all };
  }

  /** Stores an event of our own with one of the next batches. */
  append(event: Event): void {
    this.collector.append(event);
    this.hasOwn = true;
    if (this.waitsFor === 'anything') this.rouse();
  }

  /** `run` then ends. */
  stop(): void {
    this.stopping = true;
    this.collector.requestStop();
    this.rouse();
  }

  /** `run` then ends without storing anything more. */
  abandon(): void {
    this.abandoned = true;
    this.stop();
  }

  /** Until it is stopped; then everything that came before that is stored, and a STOP event. */
  async run(): Promise<void> {
    const watch = new Watch(this.collector.fds, () => this.rouse());
    try {
      while (!this.stopping) {
        this.hasOwn = false;
        const { more, stored } = await this.collector.step();
        if (more) await turn();
        else if (stored) await this.linger(watch);
        else await this.wait(watch, this.collector.holds ? 'nothing' : 'anything', REST_MS);
      }
    } finally {
      watch.close();
    }
    if (this.abandoned) this.collector.close();
    else await this.collector.stop();
  }

  private async linger(watch: Watch): Promise<void> {
    const startMs = performance.now();
    const isOver = () => performance.now() - startMs >= (this.hasOwn ? OWN_LINGER_MS : LINGER_MS);
    let isRoused = await this.wait(watch, 'nothing', PAUSE_MS);
    while (!isRoused && !isOver() && !this.collector.crowded) {
      isRoused = await this.wait(watch, 'urgent', LOOK_MS);
    }
  }

  /** True when it ended before its time: something wanted is there, or the end. */
  private async wait(watch: Watch, wanted: Wanted, ms: number): Promise<boolean> {
    const dueMs = Math.min(ms, Math.ceil(this.collector.idleMs));
    if (this.stopping || dueMs <= 0 || (wanted === 'anything' && this.hasOwn)) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.rouse = () => resolve(true);
    this.waitsFor = wanted;
    const timer = setTimeout(resolve, dueMs, false);
    watch.arm(this.masks[wanted]);
    const isRoused = await promise;
    clearTimeout(timer);
    watch.arm(this.masks.nothing);
    this.waitsFor = 'nothing';
    return isRoused;
  }
}
