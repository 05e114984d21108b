import { setTimeout as sleep } from 'node:timers/promises';
import { LANES, traceIds } from '#event';
import type { Fault, OpenKeys, Traced } from '#fold';
import { LogError } from '#log';
import { type FleetSchemas, type KafkaClient, partitionOf } from '#log/kafka';
import type { Policy } from '#policy';
import { FleetStore, type RedisView } from '#state/redis';
import { Histogram, type Logger, type Tracer } from '#telemetry';
import { Enricher } from './enricher.ts';

export interface PartitionOptions {
  readonly client: KafkaClient;
  readonly view: RedisView;
  readonly keys: OpenKeys;
  readonly policy: Policy;
  readonly logger: Logger;
  readonly tracer?: Tracer | null;
  /** Versions of schemas that others have written with. */
  readonly schemas?: FleetSchemas;
  readonly now: () => number;
}

/** waiting: after an error, before the next try. */
export type PartitionPhase = 'fencing' | 'live' | 'waiting' | 'ended';

/** What one partition has come to, since this process has it. */
export interface PartitionStatus {
  readonly partition: number;
  phase: PartitionPhase;
  events: number;
  commits: number;
  faults: number;
  /** The same by code: a closed list. */
  readonly faultCodes: Record<string, number>;
  /** Offsets of `bpf.events` that are not folded yet, as far as they were seen. */
  lag: number;
  /** Times that it had to begin anew, by the reason: a closed list. */
  readonly restarts: Record<string, number>;
  /** Transactions that were given up. */
  aborted: number;
  /** Times that Redis was filled again. */
  restores: number;
  /** From a record in the log to the commit of what it comes to, seconds. */
  readonly latency: Histogram;
  redis: 'followed' | 'bypassed';
}

const IDLE_MS = 500;
/**
 * A partition that has much to do begins a batch so long after the one before, and no sooner: a
 * transaction costs the brokers the same whether it has fifty events or five hundred. One that is
 * behind goes on at once.
 */
const BEAT_MS = 40;
const BUSY_EVENTS = 32;
const BEHIND_RECORDS = 200;
const DELAY = { firstMs: 50, maxMs: 5000 } as const;
/** A life that lasted so long had nothing to do with the error before it. */
const HEALTHY_MS = 10_000;

/**
 * Folds one partition for as long as it is this process's: fences whoever had it, restores its
 * state, and lives until an error or the end. After an error nothing is kept: it begins anew.
 */
export class Partition {
  readonly status: PartitionStatus;
  private readonly options: PartitionOptions;
  private readonly stopping = new AbortController();
  private readonly done: Promise<void>;

  constructor(partition: number, options: PartitionOptions) {
    this.options = options;
    this.status = {
      partition,
      phase: 'fencing',
      events: 0,
      commits: 0,
      faults: 0,
      faultCodes: {},
      lag: 0,
      restarts: {},
      aborted: 0,
      restores: 0,
      latency: new Histogram(),
      redis: 'followed',
    };
    this.done = this.run();
  }

  /** Ends behind the batch that is folded now. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.done;
  }

  private async run(): Promise<void> {
    const { logger } = this.options;
    const { status } = this;
    const { signal } = this.stopping;
    for (let delayMs: number = DELAY.firstMs; !signal.aborted; ) {
      const startedMs = performance.now();
      try {
        await this.live();
      } catch (error) {
        const known = error instanceof LogError ? error.code : 'UNKNOWN';
        status.restarts[known] = (status.restarts[known] ?? 0) + 1;
        status.phase = 'waiting';
        const said = { partition: status.partition, code: known, reason: textOf(error) };
        // Another owner, or a broker that went away, is the ordinary course of things.
        if (error instanceof LogError && error.retriable) logger.warn(said, 'begins anew');
        else logger.error(said, 'cannot be folded: tried again');
        if (performance.now() - startedMs > HEALTHY_MS) delayMs = DELAY.firstMs;
        await sleep(Math.random() * delayMs, null, { signal }).catch(() => null);
        delayMs = Math.min(2 * delayMs, DELAY.maxMs);
      }
    }
    status.phase = 'ended';
  }

  /** One life of the partition. */
  private async live(): Promise<void> {
    const { status } = this;
    const { now } = this.options;
    status.phase = 'fencing';
    const store = await this.openStore();
    try {
      const enricher = await this.openEnricher(store);
      await store.log.end({ topic: 'bpf.events', partition: status.partition });
      status.lag = lagOf(store, enricher);
      status.phase = 'live';
      while (!this.stopping.signal.aborted) {
        const startedMs = performance.now();
        const { more, records, events, firstMs } = await enricher.step();
        status.events += events;
        if (firstMs !== null) status.latency.observe(Math.max(0, now() - firstMs) / 1000);
        status.commits = enricher.totals.commits;
        // Behind the last record there may be markers of transactions, which nobody folds.
        status.lag = more ? lagOf(store, enricher) : 0;
        if (more) {
          const isBusy = events >= BUSY_EVENTS && records < BEHIND_RECORDS;
          if (isBusy) await this.pause(BEAT_MS - (performance.now() - startedMs));
          continue;
        }
        await store.tend();
        const waitMs = Math.min(IDLE_MS, Math.ceil(enricher.idleMs));
        await store.log.awaitMore(enricher.places, waitMs);
      }
      await store.flushed();
    } finally {
      if (store.isDead) status.aborted += 1;
      await store.close();
    }
  }

  private async pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, null, { signal: this.stopping.signal }).catch(() => null);
  }

  private openStore(): Promise<FleetStore> {
    const { client, view, now, logger } = this.options;
    const { status } = this;
    const { partition } = status;
    // What the life before had come to says nothing about this one.
    status.redis = 'followed';
    return FleetStore.open({
      client,
      view,
      partition,
      owner: 'enricher',
      now,
      onView: (state, why) => {
        if (state === 'followed') status.restores += 1;
        status.redis = state;
        if (state === 'bypassed') logger.error({ partition, why }, 'redis is bypassed');
        else logger.info({ partition, why }, 'redis is followed again');
      },
    });
  }

  private async openEnricher(store: FleetStore): Promise<Enricher> {
    const { keys, policy, now, logger, schemas } = this.options;
    const { status } = this;
    const { partition } = status;
    const partitions = await store.log.partitions('bpf.events');
    const lanes = Array.from({ length: LANES }, (_, lane) => lane);
    const onFault = (fault: Fault) => {
      status.faults += 1;
      status.faultCodes[fault.code] = (status.faultCodes[fault.code] ?? 0) + 1;
      logger.warn({ partition, ...fault }, 'a record was left out of the fold');
    };
    return Enricher.open({
      store,
      partition,
      lanes: lanes.filter((lane) => partitionOf(lane, partitions) === partition),
      keys,
      policy,
      onFault,
      onOverride: (override, refused) => {
        const { id, verb, principal, author } = override;
        logger.info({ id, verb, principal, author, refused }, 'an override is folded');
      },
      ...(schemas !== undefined && { learn: () => schemas.learn() }),
      onTraced: (traced) => this.trace(traced),
      now,
    });
  }

  private trace(traced: readonly Traced[]): void {
    const { tracer, now } = this.options;
    if (tracer == null) return;
    const endMs = now();
    for (const { id, arrivedMs, principal, command, tier } of traced) {
      const attributes = { event: id, principal, command, tier };
      const ids = traceIds(id, 'fold');
      tracer.span({ name: 'fold', ids, startMs: arrivedMs, endMs, attributes });
    }
  }
}

function lagOf({ log }: FleetStore, { places }: Enricher): number {
  const [events] = places;
  return events === undefined ? 0 : Math.max(0, log.seenEnd(events) - events.from);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
