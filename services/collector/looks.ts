/** What is looked at beside the rings. */
export type Look = 'counters' | 'inventory';

/**
 * When the counters and the live objects are looked at, by a clock that nobody sets: one that is
 * set back would stop the looks until it has caught up, and nobody would say so.
 */
export class Looks {
  private readonly everyMs: Readonly<Record<Look, number>>;
  private readonly dueMs: Record<Look, number> = { counters: 0, inventory: 0 };

  constructor(everyMs: Readonly<Record<Look, number>>) {
    this.everyMs = everyMs;
  }

  /** ms until the next is due. */
  get idleMs(): number {
    const { counters, inventory } = this.dueMs;
    return Math.max(0, Math.min(counters, inventory) - performance.now());
  }

  /** Whether it is due; then it is taken, and due again after its time. */
  take(look: Look): boolean {
    const nowMs = performance.now();
    if (nowMs < this.dueMs[look]) return false;
    this.dueMs[look] = nowMs + this.everyMs[look];
    return true;
  }

  /** It is due whenever the last one was. */
  hurry(look: Look): void {
    this.dueMs[look] = 0;
  }
}
