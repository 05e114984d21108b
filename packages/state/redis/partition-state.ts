import { keyOfStored } from '#log';
import type { KafkaLog } from '#log/kafka';
import type { After } from '../entries.ts';
import type { Entry, Space, StateChange } from '../port.ts';
import { MemoryTable } from '../table.ts';
import { Cache, idOf } from './cache.ts';
import { readChangelog, type Take } from './changelog.ts';
import { entryOf, fieldOf } from './keys.ts';
import { laneOfTable } from './lane.ts';
import { type LaneWrite, type RedisView, ViewError } from './view.ts';

export interface PartitionStateOptions {
  readonly log: KafkaLog;
  readonly view: RedisView;
  readonly partition: number;
  /** Lanes of this partition. */
  readonly lanes: readonly number[];
  readonly now: () => number;
  /** Told when Redis is bypassed, and when it is followed again. */
  readonly onView: (state: 'bypassed' | 'followed', why: string) => void;
}

/** Commits whose writes wait for Redis, at most: beyond it Redis counts as away. */
const WRITES_MAX = 50;
/** A mark older than this says nothing: tombstones behind it may be compacted away. */
const MARK_MAX_MS = 3 * 24 * 3_600_000;
/** Commits after which lanes that nobody touched get their mark moved too. */
const REFRESH = 256;
const READY_MS = 500;
/** How often the marks of all lanes are looked at. */
const CHECK_MS = 5000;
const HEAL_MS = 500;

/**
 * State of one partition. Its truth is the changelog; Redis is a view of it, read through a cache.
 * Where the view is away, behind or forged, the changelog is read into memory and the partition
 * runs from there, until the view is filled again.
 */
export class PartitionState {
  private readonly options: PartitionStateOptions;
  private readonly cache = new Cache();
  /** By lane: the mark that Redis has once all writes are through. */
  private readonly marks = new Map<number, number>();
  private readonly acked = new Map<number, number>();
  private memory: MemoryTable | null = null;
  private next = 0;
  private writes: Promise<void> = Promise.resolve();
  private waiting = 0;
  private written = 0;
  private commits = 0;
  private generation = 0;
  private checkedMs = 0;
  private healing: Promise<void> | null = null;
  private bypassing: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Why the view can't be followed any more; left at the next commit. */
  private broken: string | null = null;
  private closed = false;

  private constructor(options: PartitionStateOptions) {
    this.options = options;
  }

  /** Nobody may write to the changelog of this partition any more: its end is the truth. */
  static async restore(options: PartitionStateOptions): Promise<PartitionState> {
    const state = new PartitionState(options);
    const { log, partition, view } = options;
    state.next = await log.end({ topic: 'bpf.trust', partition });
    try {
      await view.ready(READY_MS);
      if (!(await state.catchUp())) await state.bypass('its marks are missing or old');
    } catch (error) {
      if (!(error instanceof ViewError)) throw error;
      await state.bypass(error.message);
    }
    return state;
  }

  /** Brings the view from its marks to the end of the changelog. False: it can't be. */
  private async catchUp(): Promise<boolean> {
    const { view, lanes, log, partition, now } = this.options;
    const start = await log.start({ topic: 'bpf.trust', partition });
    for (const lane of lanes) {
      const mark = await view.mark(lane);
      const usable = mark !== null && mark.next >= start && mark.next <= this.next;
      // One far ahead of our clock is of no age that we know.
      const fresh = mark !== null && Math.abs(now() - mark.markedMs) < MARK_MAX_MS;
      if (!usable || !fresh) return this.next === 0 && this.startEmpty();
      this.marks.set(lane, mark.next);
    }
    await this.eachChange(Math.min(...this.marks.values()), async (changes, next) => {
      for (const lane of lanes) {
        const expected = this.marks.get(lane) as number;
        // Changes that the lane has already are set to what they are.
        const own = changes.filter((change) => change.lane === lane);
        if (next <= expected) continue;
        await view.write({ lane, expected, next, changes: own }, now());
        this.marks.set(lane, next);
      }
    });
    for (const lane of lanes) this.acked.set(lane, this.marks.get(lane) as number);
    return true;
  }

  /** A changelog without a record: every lane is filled with nothing. */
  private async startEmpty(): Promise<boolean> {
    const { view, lanes, now } = this.options;
    for (const lane of lanes) {
      await view.fill({ lane, next: 0, changes: [] }, now());
      this.marks.set(lane, 0);
      this.acked.set(lane, 0);
    }
    return true;
  }

  private eachChange(from: number, take: Take): Promise<void> {
    const { log, partition } = this.options;
    return readChangelog(log, { partition, from, end: this.next }, take);
  }

  /** For those who ask at the same time, and all hear of it. */
  private async bypassOnce(why: string): Promise<void> {
    if (this.memory !== null) return;
    this.bypassing ??= this.bypass(why).finally(() => {
      this.bypassing = null;
    });
    await this.bypassing;
  }

  /** From here on the partition runs from the changelog, in memory; Redis is filled beside it. */
  private async bypass(why: string): Promise<void> {
    this.generation += 1;
    if (this.memory === null) {
      const table = new MemoryTable();
      const { log, partition } = this.options;
      const start = await log.start({ topic: 'bpf.trust', partition });
      await this.eachChange(start, async (changes) => {
        for (const change of changes) table.apply(change);
      });
      this.memory = table;
      this.options.onView('bypassed', why);
    }
    this.cache.clear();
    this.marks.clear();
    this.acked.clear();
    this.healLater(0);
  }

  private healLater(ms: number): void {
    if (this.closed || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.healing = this.heal().catch(() => this.healLater(HEAL_MS));
    }, ms);
    this.timer.unref();
  }

  /** Fills lane after lane from memory; each follows the commits from then on. */
  private async heal(): Promise<void> {
    const { view, lanes, now } = this.options;
    const { generation } = this;
    await view.ready(READY_MS);
    for (const lane of lanes) {
      const { memory, next } = this;
      // Another one may have filled all lanes meanwhile: there is nothing left to fill them from,
      // and what they have must stay.
      if (memory === null || this.closed || generation !== this.generation) return;
      const changes = laneOfTable(memory, lane);
      this.marks.set(lane, next);
      // In the queue of writes, so that commits made meanwhile come behind it.
      await this.enqueue(async () => {
        if (generation !== this.generation) return;
        await view.fill({ lane, next, changes }, now());
        if (generation === this.generation) this.acked.set(lane, next);
      });
    }
    if (this.closed || generation !== this.generation || this.broken !== null) return;
    this.memory = null;
    this.options.onView('followed', 'it is filled again');
  }

  async getMany(
    space: Space,
    lane: number,
    keys: readonly string[],
  ): Promise<(Uint8Array | null)[]> {
    const { memory } = this;
    if (memory !== null) return keys.map((key) => memory.get(space, lane, key));
    const found = new Map<string, Uint8Array | null>();
    const missing: string[] = [];
    for (const key of keys) {
      const known = this.cache.get(idOf(space, lane, key));
      if (known === undefined) missing.push(key);
      else found.set(key, known);
    }
    if (missing.length > 0) {
      try {
        const values = await this.ask(lane, space, missing);
        for (const [n, key] of missing.entries()) found.set(key, values[n] ?? null);
      } catch (error) {
        if (!(error instanceof ViewError)) throw error;
        await this.bypassOnce(error.message);
        return this.getMany(space, lane, keys);
      }
    }
    return keys.map((key) => copyOf(found.get(key) ?? null));
  }

  private async ask(lane: number, space: Space, keys: readonly string[]) {
    const { generation } = this;
    const fields = keys.map((key) => fieldOf(space, key));
    const least = this.acked.get(lane) ?? 0;
    const { next, values } = await this.options.view.values(lane, fields);
    this.checkMark(lane, next, least);
    if (generation !== this.generation) throw new ViewError('behind', 'redis: bypassed meanwhile');
    for (const [n, key] of keys.entries())
      this.cache.remember(idOf(space, lane, key), values[n] ?? null);
    return values;
  }

  /** A lane's mark lies where our writes had brought it, acknowledged or not. */
  private checkMark(lane: number, next: number | null, least: number): void {
    const most = this.marks.get(lane) ?? 0;
    if (next !== null && next >= least && next <= most) return;
    const words = `mark ${next ?? 'missing'}, expected ${least} to ${most}`;
    throw new ViewError('behind', `redis: lane ${lane}: ${words}`);
  }

  /** Entries in order, as the port says. */
  async scan(
    space: Space,
    options: { lane?: number; after?: After; limit: number },
  ): Promise<Entry[]> {
    if (this.memory !== null) return this.memory.scan(space, options);
    try {
      return await this.scanView(space, options);
    } catch (error) {
      if (!(error instanceof ViewError)) throw error;
      await this.bypass(error.message);
      return this.scan(space, options);
    }
  }

  private async scanView(
    space: Space,
    options: { lane?: number; after?: After; limit: number },
  ): Promise<Entry[]> {
    // What Redis has not acknowledged it cannot list.
    await this.writes;
    await this.tend();
    if (this.memory !== null) return this.memory.scan(space, options);
    const { lane, after, limit } = options;
    const found: Entry[] = [];
    const lanes = lane === undefined ? this.options.lanes : [lane];
    for (const one of lanes.filter((n) => n >= (after?.lane ?? 0))) {
      const behind = after?.lane === one ? after.key : null;
      const keys = await this.keysOf(space, one, behind, limit - found.length);
      const values = await this.getMany(space, one, keys);
      for (const [n, key] of keys.entries()) {
        const empty = space === 'due' ? new Uint8Array() : null;
        const value = values[n] ?? empty;
        if (value !== null) found.push({ lane: one, key, value });
      }
      if (found.length >= limit) break;
    }
    return found;
  }

  private async keysOf(space: Space, lane: number, after: string | null, limit: number) {
    const { view } = this.options;
    const due = space === 'due';
    const found = due ? await view.timers(lane, after, limit) : await view.fields(lane);
    // A list has no mark of its own: what was lost or is being filled would look like an end.
    const mark = await view.mark(lane);
    this.checkMark(lane, mark?.next ?? null, this.acked.get(lane) ?? 0);
    if (due) return found.map(keyOfStored);
    const keys = found.flatMap((field) => {
      const entry = entryOf(field);
      return entry?.space === space && (after === null || entry.key > after) ? [entry.key] : [];
    });
    return keys.sort((a, b) => (a < b ? -1 : 1)).slice(0, limit);
  }

  /** Takes what is committed: `next` is the changelog's end behind it. */
  apply(given: readonly StateChange[], next: number): void {
    // Redis gets them later: the caller's values may be others by then.
    const changes = given.map((change) => ({ ...change, value: copyOf(change.value) }));
    this.next = Math.max(this.next, next);
    this.commits += 1;
    if (this.memory !== null) for (const change of changes) this.memory.apply(change);
    const touched = Map.groupBy(changes, ({ lane }) => lane);
    const all = this.commits % REFRESH === 0;
    const writes: LaneWrite[] = [];
    for (const lane of all ? this.options.lanes : touched.keys()) {
      const expected = this.marks.get(lane);
      // A lane that is not filled yet gets all of it when it is.
      if (expected === undefined || expected >= this.next) continue;
      this.marks.set(lane, this.next);
      writes.push({ lane, expected, next: this.next, changes: touched.get(lane) ?? [] });
    }
    if (writes.length > 0) this.writeLanes(writes);
  }

  private writeLanes(writes: readonly LaneWrite[]): void {
    this.written += 1;
    const { written, generation } = this;
    for (const { space, lane, key, value } of writes.flatMap(({ changes }) => changes)) {
      this.cache.written(idOf(space, lane, key), value, written);
    }
    const one = async (write: LaneWrite) => {
      await this.options.view.write(write, this.options.now());
      if (generation !== this.generation) return;
      this.acked.set(write.lane, write.next);
      for (const { space, lane, key, value } of write.changes) {
        this.cache.acknowledged(idOf(space, lane, key), value, written);
      }
    };
    // All lanes of a commit at once: they know nothing of each other.
    const done = this.enqueue(async () => {
      if (generation !== this.generation) return;
      const ended = await Promise.allSettled(writes.map(one));
      const failed = ended.find((each) => each.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
    done.catch(() => undefined);
  }

  /** Commits go one after another: a lane's mark must not overtake itself. */
  private enqueue(work: () => Promise<void>): Promise<void> {
    this.waiting += 1;
    if (this.waiting > WRITES_MAX) this.failWrites('too many writes wait');
    const { generation } = this;
    const result = this.writes.then(work);
    this.writes = result.then(
      () => {
        this.waiting -= 1;
      },
      (error) => {
        this.waiting -= 1;
        if (generation === this.generation) this.failWrites((error as Error).message);
      },
    );
    return result;
  }

  private failWrites(why: string): void {
    this.broken ??= why;
  }

  /**
   * Now and then, and between commits: leaves a view whose writes have failed, or that has lost
   * lanes to which nothing is written.
   */
  async tend(): Promise<void> {
    await this.checkLanes();
    const { broken } = this;
    if (broken === null) return;
    this.broken = null;
    await this.bypass(broken);
  }

  private async checkLanes(): Promise<void> {
    const nowMs = this.options.now();
    const due = nowMs - this.checkedMs >= CHECK_MS || nowMs < this.checkedMs;
    if (!due || this.memory !== null || this.broken !== null) return;
    this.checkedMs = nowMs;
    const { lanes, view } = this.options;
    try {
      const least = new Map(this.acked);
      const marks = await Promise.all(lanes.map((lane) => view.mark(lane)));
      for (const [n, lane] of lanes.entries()) {
        this.checkMark(lane, marks[n]?.next ?? null, least.get(lane) ?? 0);
      }
    } catch (error) {
      if (!(error instanceof ViewError)) throw error;
      this.failWrites(error.message);
    }
  }

  /**
   * Until what was applied is in Redis, or it is known that it won't be. For whoever ends here:
   * another owner may be at work already, and what it wrote is not to be taken for a loss.
   */
  async flushed(): Promise<void> {
    await this.writes;
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.healing;
    await this.writes;
  }
}

function copyOf(value: Uint8Array | null): Uint8Array | null {
  return value === null ? null : new Uint8Array(value);
}
