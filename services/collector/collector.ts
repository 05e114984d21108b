import {
  ACT_FLAGS,
  CountersMap,
  type KernelCounter,
  type KernelRaised,
  type KernelStats,
  type LiveObject,
  native,
  readIterator,
  StatsMap,
} from '#bpf';
import { type Event, type HostName, hostPrincipal, type Mode, type PrincipalKey } from '#event';
import { LogError } from '#log';
import { hashPolicy, type Policy } from '#policy';
import type { Commit, StateChange, Store } from '#state';
import type { Logger } from '#telemetry';
import { Code } from './code.ts';
import { Counters } from './counters.ts';
import { type Life, lifeChange, type Resumed, resumeLife } from './incarnation.ts';
import { Lanes } from './lanes.ts';
import { Looks } from './looks.ts';
import { type Hole, Losses, lossEvent, RING_NAMES, SKIPPED, systemEvent } from './losses.ts';
import { Objects } from './objects.ts';
import { raisedEvent } from './raised.ts';
import { reflexEvent } from './reflex.ts';
import { type RingItem, Rings } from './rings.ts';
import { type Shed, Shedding } from './shedding.ts';
import { type Context, translate } from './translate.ts';

export interface CollectorOptions {
  readonly store: Store;
  /** Directory of the pinned maps. */
  readonly pins: string;
  readonly host: HostName;
  readonly hostKey: Uint8Array;
  readonly bootId: string;
  readonly mode: Mode;
  readonly policy: Policy;
  readonly version: string;
  readonly logger: Logger;
  /** ms between inventory passes and between readings of the counters. */
  readonly inventoryMs: number;
  readonly countersMs: number;
  /** Bytes of the local log from which bulk records are shed. */
  readonly logBytes: number;
}

const ITERATORS = ['inventory_progs', 'inventory_maps', 'inventory_links'] as const;
const RETRY_MAX_MS = 2000;
/** Index in the kernel's error counts: calls for which it ran no program. */
const SKIPPED_SITE = 5;

/** What was read beside the rings, and how far they must be read before it is judged. */
interface Pass {
  readonly stats: KernelStats;
  readonly timeMs: number;
  readonly counters: readonly KernelCounter[] | null;
  readonly inventory: { readonly before: Set<string>; readonly live: LiveObject[] } | null;
  readonly targets: readonly number[];
}

/**
 * Drains the rings into the local log. Each batch is one commit of events, lane heads and ring
 * positions; only then is the ring's space released. After a failed commit the same batch is tried
 * again and nothing else is read: the rings hold, and then the kernel counts what it had to drop.
 */
export class Collector {
  private readonly options: CollectorOptions;
  private readonly rings: Rings;
  private readonly code: Code;
  private readonly stats: StatsMap;
  private readonly countersMap: CountersMap;
  private readonly principal: PrincipalKey;
  private readonly looks: Looks;
  private lanes!: Lanes;
  private losses!: Losses;
  private counters!: Counters;
  private objects!: Objects;
  private shedding!: Shedding;
  private life!: Life;
  private queue: Event[] = [];
  private firstPass = true;
  private countedBefore = -1;
  private stopping = false;
  private gaveUp = false;
  private pass: Pass | null = null;
  /** Events and records stored since the start. */
  readonly totals = { records: 0, events: 0, commits: 0 };

  private constructor(options: CollectorOptions) {
    this.options = options;
    this.principal = hostPrincipal(options.host);
    const { countersMs: counters, inventoryMs: inventory } = options;
    this.looks = new Looks({ counters, inventory });
    this.rings = new Rings(options.pins, options.bootId);
    this.code = new Code(`${options.pins}/ring_code`, options.bootId);
    this.stats = new StatsMap(`${options.pins}/stats`);
    this.countersMap = new CountersMap(`${options.pins}/counters`);
  }

  static async open(options: CollectorOptions): Promise<Collector> {
    const collector = new Collector(options);
    await collector.resume();
    return collector;
  }

  private async resume(): Promise<void> {
    const { store, bootId, host, hostKey } = this.options;
    const resumed = await resumeLife(store, bootId);
    this.life = resumed.life;
    this.lanes = await Lanes.open(store, {
      host,
      incarnation: this.life.incarnation,
      key: hostKey,
    });
    this.losses = await Losses.open(store, this.rings.life);
    this.counters = await Counters.open(store, this.rings.life);
    this.objects = await Objects.open(store);
    this.shedding = await Shedding.open(store, this.options.logBytes);
    if (resumed.fresh) this.objects.forgetAll();
    this.firstPass = resumed.fresh;
    for (const { ring, found } of await this.rings.resume(store)) this.tamper(ring, found);
    const code = await this.code.resume(store);
    if (code !== null) this.tamper('code', code);
    // Before anything else of this run, so that whoever reads the log meets it first.
    await this.store([this.startEvent(resumed), ...this.queue.splice(0)], 0);
  }

  private startEvent({ life, fresh, previousClean }: Resumed): Event {
    const { version, policy, bootId } = this.options;
    return this.system('START', {
      incarnation: life.incarnation,
      predecessor: life.predecessor ?? 'none',
      new_incarnation: fresh,
      previous_end: previousClean === null ? 'none' : previousClean ? 'clean' : 'unclean',
      boot_id: bootId,
      version,
      policy: hashPolicy(policy),
    });
  }

  /** An event of ours, stored with the next batch. */
  append(event: Event): void {
    this.queue.push(event);
  }

  private system(command: string, details: Record<string, string | number | boolean>): Event {
    const { mode } = this.options;
    const timeUs = Date.now() * 1000;
    return systemEvent({ command, principal: this.principal, timeUs, mode, details });
  }

  private tamper(ring: string, found: string): void {
    this.options.logger.error({ ring, found }, 'ring positions or content are not ours');
    this.queue.push(this.system('RING_TAMPER', { ring, found }));
  }

  get fds(): number[] {
    return this.rings.fds;
  }

  /** Of `fds`, that of the bulk ring, as a bit. */
  get bulkMask(): number {
    return 1 << RING_NAMES.indexOf('bulk');
  }

  /** A ring is an eighth full of what was not read. */
  get crowded(): boolean {
    return this.rings.crowded();
  }

  /** The log is full to the brim: the rings are not read. */
  get holds(): boolean {
    return this.shedding.holds;
  }

  /** ms until a timer of the collector's is due; none is while nothing is read. */
  get idleMs(): number {
    if (this.holds) return Number.POSITIVE_INFINITY;
    return this.looks.idleMs;
  }

  /**
   * Stores one batch. `more`: records are waiting; `stored`: there was something.
   * Throws what can't be retried.
   */
  async step(): Promise<{ more: boolean; stored: boolean }> {
    await this.shedding.look(performance.now());
    if (this.holds) return this.hold();
    this.pass ??= this.beginPass();
    const { pass } = this;
    for (const { ring, found } of this.rings.tampered()) this.tamper(ring, found);
    const context = this.context();
    const items = this.rings.read();
    this.readCode();
    const events = this.shedding.admit(items).flatMap((item) => this.eventsOf(item, context));
    const shed = this.shedding.ended();
    if (shed !== null) events.push(this.shedEvent(shed));
    if (this.rings.reached(pass.targets)) {
      events.push(...this.endPass(pass, context));
      this.pass = null;
    }
    events.push(...this.queue.splice(0));
    if (items.length > 0 || events.length > 0) await this.store(events, items.length);
    return { more: !this.rings.drained(), stored: events.length > 0 };
  }

  /** The log is full to the brim: what is ours to say is stored, and everything else waits. */
  private async hold(): Promise<{ more: boolean; stored: boolean }> {
    this.pass = null;
    const events = this.queue.splice(0);
    if (events.length > 0) await this.store(events, 0);
    return { more: false, stored: events.length > 0 };
  }

  private shedEvent({ count, first, last }: Shed): Event {
    const at = { principal: this.principal, timeUs: Date.now() * 1000, mode: this.options.mode };
    this.options.logger.error({ count }, 'the local log was full: records were not stored');
    const details = { ring: 'bulk', why: 'the local log was full', count };
    const positions = { first_position: first, last_position: last };
    return systemEvent({ command: 'LOSS', ...at, count, details: { ...details, ...positions } });
  }

  private readCode(): void {
    const moved = this.code.tampered();
    const faults = [...(moved === null ? [] : [moved]), ...this.code.read(performance.now())];
    for (const found of faults) this.tamper('code', found);
  }

  /**
   * What is read beside the rings is read first, and judged when the rings have been read up to
   * where they stood then: however fast others write, that is reached.
   */
  private beginPass(): Pass {
    const stats = this.stats.read();
    const counted = this.looks.take('counters');
    const fresh = stats.counted !== this.countedBefore || this.counters.unsettled;
    const pass: Pass = {
      stats,
      timeMs: Date.now(),
      counters: counted && fresh ? this.countersMap.read() : null,
      inventory: this.looks.take('inventory') ? this.readInventory() : null,
      targets: this.rings.producers(),
    };
    if (pass.counters !== null) this.countedBefore = stats.counted;
    return pass;
  }

  private endPass({ stats, counters, inventory, timeMs }: Pass, context: Context): Event[] {
    return [
      ...this.lossesAtEnd(stats),
      ...(inventory === null ? [] : this.reconcile(inventory, timeMs)),
      ...(counters === null ? [] : this.counters.collect(counters, context)),
    ];
  }

  private context(): Context {
    const { host, mode, policy } = this.options;
    const bootOffsetNs = native().bootOffset();
    return { host, mode, policy, bootOffsetNs, ownerOf: this.objects.ownerOf };
  }

  private eventsOf(item: RingItem, context: Context): Event[] {
    if ('fault' in item) {
      this.tamper(item.ring, `record at ${item.position}: ${item.fault}`);
      return [];
    }
    const { lost } = 'act' in item ? item.act : item.raised;
    const hole = this.losses.before(item.ring, item.position, lost);
    if ('raised' in item) return this.raisedEvents(item.raised, hole, context);
    const { act } = item;
    const event = translate(act, context, act.facts === null ? null : this.code.digestOf(act));
    this.objects.made(act, event);
    if (act.flags & ACT_FLAGS.counterFirst) this.counters.first(act, event);
    const { timeUs } = event;
    const at = { principal: this.principal, timeUs, mode: this.options.mode };
    return [
      ...(hole === null ? [] : [lossEvent(hole, at)]),
      event,
      ...(act.flags & ACT_FLAGS.reflex ? [reflexEvent(act, event, this.options.bootId)] : []),
    ];
  }

  private raisedEvents(raised: KernelRaised, hole: Hole | null, context: Context): Event[] {
    const event = raisedEvent(raised, context);
    const at = { principal: this.principal, timeUs: event.timeUs, mode: this.options.mode };
    return [...(hole === null ? [] : [lossEvent(hole, at)]), event];
  }

  private lossesAtEnd({ rings, errors }: KernelStats): Event[] {
    const at = { principal: this.principal, timeUs: Date.now() * 1000, mode: this.options.mode };
    const holes = RING_NAMES.map((ring, index) =>
      this.losses.atEnd(ring, this.rings.positionOf(ring), rings[index]?.lost ?? 0),
    );
    holes.push(this.losses.atEnd(SKIPPED, 0, errors[SKIPPED_SITE] ?? 0));
    return holes.flatMap((hole) => (hole === null ? [] : [lossEvent(hole, at)]));
  }

  /** What is live now, and what was known now: compared once the rings have been drained. */
  private readInventory() {
    const before = this.objects.keys();
    const live = ITERATORS.flatMap((name) => readIterator(`${this.options.pins}/${name}`));
    return { before, live };
  }

  private reconcile({ live, before }: ReturnType<Collector['readInventory']>, timeMs: number) {
    const at = {
      firstPass: this.firstPass,
      timeUs: timeMs * 1000,
      principal: this.principal,
      mode: this.options.mode,
    };
    this.firstPass = false;
    return this.objects.reconcile(live, before, at);
  }

  private async store(events: readonly Event[], records: number): Promise<void> {
    const { outputs, state } = this.lanes.seal(events);
    const changes: StateChange[] = [
      ...state,
      ...this.losses.changes(),
      ...this.counters.changes(),
      ...this.objects.changes(),
      ...this.shedding.changes(),
      lifeChange(this.life),
    ];
    const commit = {
      outputs,
      state: changes,
      position: [...this.rings.positions(), this.code.position()],
    };
    if (this.gaveUp) return;
    this.gaveUp = !(await this.commitUntilStored(commit));
    if (this.gaveUp) return;
    this.shedding.wrote(outputs.reduce((sum, { value }) => sum + (value?.length ?? 0), 0));
    this.rings.release();
    this.code.release();
    this.totals.records += records;
    this.totals.events += events.length;
    this.totals.commits += 1;
  }

  /** False when it was told to stop while the store refused. */
  private async commitUntilStored(commit: Commit): Promise<boolean> {
    const { store, logger } = this.options;
    for (let delayMs = 100; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        await store.commit(commit);
        if (delayMs > 100) logger.warn('the log can be written again: nothing stored was lost');
        return true;
      } catch (error) {
        if (!(error instanceof LogError) || !error.retriable) throw error;
        logger.error(
          { reason: error.message },
          'the log cannot be written: records wait in the rings',
        );
        if (this.stopping) return false;
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  /** From now on a commit that the store refuses is given up instead of tried again. */
  requestStop(): void {
    this.stopping = true;
  }

  /**
   * Stores what came before this call and a STOP event, and closes what it opened. After a batch
   * had to be given up nothing more is stored: its records are still in the rings.
   */
  async stop(): Promise<void> {
    this.requestStop();
    // Twice: a counter made just now waits one pass for its first record.
    for (let pass = 0; pass < 2 && !this.gaveUp; pass++) {
      this.looks.hurry('counters');
      this.pass = null;
      do await this.step();
      while (this.pass !== null && !this.gaveUp);
    }
    if (!this.gaveUp) {
      this.life = { ...this.life, clean: true };
      await this.store([this.system('STOP', { incarnation: this.life.incarnation })], 0);
    }
    this.close();
  }

  /** Stores nothing any more. */
  close(): void {
    this.rings.close();
    this.code.close();
    this.stats.close();
    this.countersMap.close();
  }
}
