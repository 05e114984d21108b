import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '#log';
import { FleetSchemas, Membership } from '#log/kafka';
import { Partition, type PartitionOptions, type PartitionStatus } from './partition.ts';

const DELAY = { firstMs: 500, maxMs: 10_000 } as const;

/**
 * The enricher of a fleet: shares the partitions of `bpf.events` out among its like, and folds
 * those that are its own, each by itself.
 */
export class FleetEnricher {
  private readonly options: PartitionOptions & { readonly schemas: FleetSchemas };
  private readonly partitions = new Map<number, Partition>();
  private readonly ending = new Set<Promise<void>>();
  private membership: Membership | null = null;
  private stopped = false;
  private readonly failure = Promise.withResolvers<never>();

  private constructor(options: PartitionOptions) {
    const { client, logger } = options;
    const onFault = (why: string) => logger.error({ why }, 'a schema cannot be used');
    this.options = { ...options, schemas: new FleetSchemas(client, onFault) };
    // Whoever waits for the end hears of it; until then it must not end the process.
    this.failure.promise.catch(() => undefined);
  }

  static async start(options: PartitionOptions): Promise<FleetEnricher> {
    const enricher = new FleetEnricher(options);
    // A newer product may have been here, and left state of its own kind.
    await enricher.options.schemas.learn();
    await enricher.join();
    return enricher;
  }

  private async join(): Promise<void> {
    this.membership = await Membership.join({
      client: this.options.client,
      group: 'enricher',
      topic: 'bpf.events',
      onAssigned: (partitions) => this.assign(partitions),
      onLost: (error) => {
        this.joinAgain(error).catch((reason) => this.failure.reject(reason));
      },
    });
  }

  /**
   * Who was a member once had the right to be: brokers that are away for long are waited for. Its
   * partitions go on meanwhile; whoever else has got one has fenced it.
   */
  private async joinAgain(lost: Error): Promise<void> {
    let error: unknown = lost;
    for (let delayMs: number = DELAY.firstMs; !this.stopped; ) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      this.options.logger.warn({ reason: error.message }, 'the group is lost: joins again');
      await this.membership?.leave();
      await sleep(Math.random() * delayMs);
      delayMs = Math.min(2 * delayMs, DELAY.maxMs);
      if (this.stopped) return;
      try {
        return await this.join();
      } catch (reason) {
        error = reason;
      }
    }
  }

  /** Rejects when the group can't be kept any more: for want of a right, not of a broker. */
  get lost(): Promise<never> {
    return this.failure.promise;
  }

  get status(): readonly PartitionStatus[] {
    return [...this.partitions.values()].map(({ status }) => status);
  }

  private assign(assigned: readonly number[]): void {
    if (this.stopped) return;
    const wanted = new Set(assigned);
    for (const [number, partition] of this.partitions) {
      if (wanted.has(number)) continue;
      this.partitions.delete(number);
      const end = partition.stop().finally(() => this.ending.delete(end));
      this.ending.add(end);
    }
    for (const number of wanted) {
      if (this.partitions.has(number)) continue;
      this.partitions.set(number, new Partition(number, this.options));
    }
    this.options.logger.info({ partitions: [...wanted] }, 'partitions of this enricher');
  }

  async stop(): Promise<void> {
    this.stopped = true;
    // Its partitions first: whoever gets them then finds them at rest.
    await Promise.all([...this.partitions.values()].map((partition) => partition.stop()));
    await Promise.all(this.ending);
    await this.membership?.leave();
    await this.options.schemas.close();
  }
}
