import { EventError, learnSchema, type SchemaVersion, schemaHistory } from '#event';
import type { KafkaClient } from './client.ts';
import { KafkaLog } from './log.ts';
import { IdempotentWriter } from './writer.ts';

const PLACE = { topic: 'bpf.schemas', partition: 0 } as const;
const PAGE = { records: 1000, bytes: 512 * 1024 };

/**
 * `bpf.schemas`: every schema that the fleet's records were ever written with, by fingerprint. Who
 * meets a record of a version that this product does not know learns it from here.
 */
export class FleetSchemas {
  private readonly log: KafkaLog;
  private readonly onFault: (why: string) => void;
  private next = 0;
  private learned = 0;
  private learning: Promise<void> = Promise.resolve();

  constructor(client: KafkaClient, onFault: (why: string) => void) {
    this.log = new KafkaLog(client);
    this.onFault = onFault;
  }

  /**
   * Learns what is new in the topic; returns how many versions that has been since the start.
   * Several may ask at once: what one of them learns all of them know.
   */
  async learn(): Promise<number> {
    const reading = this.learning.then(() => this.readOn());
    this.learning = reading.catch(() => undefined);
    await reading;
    return this.learned;
  }

  private async readOn(): Promise<void> {
    this.next = Math.max(this.next, await this.log.start(PLACE));
    for (let end = await this.log.end(PLACE); this.next < end; ) {
      const { records, next } = await this.log.readSparse(PLACE, this.next, PAGE);
      for (const { key, value } of records) this.learned += this.take(key, value);
      if (next === this.next) break;
      this.next = next;
    }
  }

  private take(fingerprint: string, value: Uint8Array | null): number {
    if (value === null) return 0;
    try {
      return +learnSchema(Buffer.from(value).toString(), fingerprint);
    } catch (error) {
      if (!(error instanceof EventError)) throw error;
      this.onFault(error.message);
      return 0;
    }
  }

  async close(): Promise<void> {
    await this.log.close();
  }
}

/** Schemas of this product's history that the topic does not have. */
export async function missingSchemas(client: KafkaClient): Promise<SchemaVersion[]> {
  const log = new KafkaLog(client);
  const known = new Set<string>();
  try {
    for (let at = await log.start(PLACE), end = await log.end(PLACE); at < end; ) {
      const { records, next } = await log.readSparse(PLACE, at, PAGE);
      for (const { key, value } of records) if (value !== null) known.add(key);
      if (next === at) break;
      at = next;
    }
  } finally {
    await log.close();
  }
  return schemaHistory().filter(({ fingerprint }) => !known.has(fingerprint));
}

/** Writes schemas into the topic: whoever reads records of theirs finds them there. */
export async function publishSchemas(
  client: KafkaClient,
  schemas: readonly SchemaVersion[],
): Promise<void> {
  if (schemas.length === 0) return;
  const writer = new IdempotentWriter(client);
  try {
    await writer.send(
      schemas.map(({ fingerprint, text }) => {
        return { ...PLACE, lane: 0, key: fingerprint, value: Buffer.from(text) };
      }),
    );
  } finally {
    await writer.close();
  }
}
