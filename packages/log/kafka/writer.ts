import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer, Transaction } from 'kafkajs';
import { LogError } from '../errors.ts';
import { type KafkaClient, PATIENT } from './client.ts';
import { toKafkaError, typeOf } from './errors.ts';
import type { Place } from './fetcher.ts';
import { chosenPartition, type Outgoing, type Sent, sendAll } from './send.ts';

/** How far a group has come in a partition. */
export interface GroupOffset extends Place {
  readonly group: string;
  readonly next: number;
}

/** An open transaction holds up every reader of its partitions: it ends by itself after this. */
const TRANSACTION_MS = 30_000;

/** The transaction before is not quite over, or a group's coordinator has just changed. */
const NOT_YET: ReadonlySet<string | null> = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_LOAD_IN_PROGRESS',
]);
const NOT_YET_TIMES = 60;

/** Makes a request that starts a transaction, until the one before is over. */
async function begun<T>(request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (!NOT_YET.has(typeOf(error)) || attempt === NOT_YET_TIMES) throw error;
      await sleep(Math.min(250, 4 * attempt));
    }
  }
}

/** Records of a transaction's first request, at most: so many that it is one request. */
const FIRST_MAX = 200;
/** Whoever commits more at once is behind: a request of its own for tiers would gain nothing. */
const HASTY_MAX = 1000;

/**
 * Indexes of the records that go before all else: tiers, which lie in one partition; where there
 * are neither tiers nor offsets, one record, so that the request that starts the transaction is
 * one that may be made again.
 */
function firstOf(records: readonly Outgoing[], offsets: readonly GroupOffset[]): number[] {
  const isTier = ({ topic }: Outgoing, index: number) => (topic === 'bpf.tiers' ? [index] : []);
  const tiers = records.length > HASTY_MAX ? [] : records.flatMap(isTier);
  if (tiers.length > 0) return tiers.slice(0, FIRST_MAX);
  return offsets.length > 0 || records.length === 0 ? [] : [0];
}

/**
 * Writes transactions under one transactional id. Opening it fences whoever used that id before,
 * and waits until its last transaction is over. After any error it is dead: open another.
 */
export class TransactionalWriter {
  private readonly client: KafkaClient;
  private readonly producer: Producer;
  /** Begun by `open`, of which the brokers know nothing until it is used. */
  private begun: Transaction | null;
  private dead = false;

  private constructor(client: KafkaClient, producer: Producer, begun: Transaction) {
    this.client = client;
    this.producer = producer;
    this.begun = begun;
  }

  static async open(client: KafkaClient, id: string): Promise<TransactionalWriter> {
    const producer = client.kafka.producer({
      transactionalId: client.named(id),
      transactionTimeout: TRANSACTION_MS,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: chosenPartition,
      // What `fill` says; the rest of kafkajs is patient as the client is.
      retry: { retries: 0 },
    });
    try {
      await producer.connect();
      // kafkajs takes the id, and so fences, with the first transaction only.
      return new TransactionalWriter(client, producer, await producer.transaction());
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw toKafkaError(error, `transactional id ${client.named(id)}`);
    }
  }

  /** A transaction was given up. */
  get isDead(): boolean {
    return this.dead;
  }

  /** All records and offsets, or nothing of them. */
  async commit(records: readonly Outgoing[], offsets: readonly GroupOffset[]): Promise<Sent> {
    if (this.dead) throw new LogError('FENCED', 'kafka: this writer is dead: open another');
    try {
      const transaction = this.begun ?? (await this.producer.transaction());
      this.begun = null;
      const sent = await this.fill(transaction, records, offsets);
      await transaction.commit();
      return sent;
    } catch (error) {
      // Not aborted here: whether it was committed is for the next writer to find out.
      this.dead = true;
      void this.close();
      throw toKafkaError(error, 'a transaction');
    }
  }

  /**
   * What hosts wait for goes first: they read it as soon as a broker has it. Only the first request
   * of a transaction, and offsets, are ever made again: nothing has been written before it, and it
   * goes to one broker. What several brokers got must not be: kafkajs sends all of it again where
   * one of them was away and a partition has another leader now, and what had been taken is there
   * twice.
   */
  private async fill(
    transaction: Transaction,
    records: readonly Outgoing[],
    offsets: readonly GroupOffset[],
  ): Promise<Sent> {
    const send = (list: readonly Outgoing[]) =>
      sendAll(this.client, list, (batch) => transaction.sendBatch(batch));
    const first = firstOf(records, offsets);
    const begin = await begun(() => send(first.map((index) => records[index] as Outgoing)));
    for (const offset of offsets) await begun(() => this.sendOffset(transaction, offset));
    const isFirst = new Set(first);
    const later = records.flatMap((_, index) => (isFirst.has(index) ? [] : [index]));
    const rest = await send(later.map((index) => records[index] as Outgoing));
    const sent = new Array<number>(records.length).fill(-1);
    for (const [n, index] of first.entries()) sent[index] = begin.offsets[n] ?? -1;
    for (const [n, index] of later.entries()) sent[index] = rest.offsets[n] ?? -1;
    return { offsets: sent, appendedMs: rest.appendedMs ?? begin.appendedMs };
  }

  private async sendOffset(
    transaction: Transaction,
    { group, topic, partition, next }: GroupOffset,
  ): Promise<void> {
    const partitions = [{ partition, offset: `${next}` }];
    await transaction.sendOffsets({
      consumerGroupId: this.client.named(group),
      topics: [{ topic: this.client.topic(topic), partitions }],
    });
  }

  async close(): Promise<void> {
    this.dead = true;
    await this.producer.disconnect().catch(() => undefined);
  }
}

/** Writes without transactions: what a broker has acknowledged it has once, and in order. */
export class IdempotentWriter {
  private readonly client: KafkaClient;
  private producer: Producer | null = null;

  constructor(client: KafkaClient) {
    this.client = client;
  }

  /** Resolves when all of it is acknowledged by all replicas in sync. */
  async send(records: readonly Outgoing[]): Promise<Sent> {
    try {
      const producer = await this.connected();
      return await sendAll(this.client, records, (batch) => producer.sendBatch(batch));
    } catch (error) {
      // What was sent is not known: another producer sends it again, and readers see it twice.
      await this.close();
      throw toKafkaError(error, 'a send');
    }
  }

  async close(): Promise<void> {
    const { producer } = this;
    this.producer = null;
    await producer?.disconnect().catch(() => undefined);
  }

  private async connected(): Promise<Producer> {
    if (this.producer !== null) return this.producer;
    const producer = this.client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: chosenPartition,
      retry: { ...PATIENT, retries: 20 },
    });
    await producer.connect();
    this.producer = producer;
    return producer;
  }
}
