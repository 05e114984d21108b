import { setTimeout as sleep } from 'node:timers/promises';
import { LogError } from '#log';
import type { KafkaLog, KafkaRecord } from '#log/kafka';
import { FleetSchemas, type FleetTopic, type KafkaClient } from '#log/kafka';

const PAGE = { records: 1000, bytes: 1024 * 1024 };
/** Answers without a record and without a step on, one behind the other, at most. */
const IDLE_MAX = 5;
const IDLE_MS = 200;

/** A partition as it was at one moment. */
export interface Extent {
  readonly topic: FleetTopic;
  readonly partition: number;
  readonly start: number;
  readonly end: number;
}

type Edges = Pick<KafkaLog, 'start' | 'end'>;

/** The end is asked for first: what is deleted in between is then before the start. */
export async function extentOf(log: Edges, topic: FleetTopic, partition = 0): Promise<Extent> {
  const place = { topic, partition };
  const end = await log.end(place);
  return { ...place, start: await log.start(place), end };
}

/**
 * Every record of a partition as it was then, in order. Throws `LogError` UNREACHABLE where the
 * brokers give nothing more before its end: what was not read must not look like the end.
 */
export async function* recordsOf(
  log: Pick<KafkaLog, 'readSparse'>,
  { topic, partition, start, end }: Extent,
): AsyncGenerator<KafkaRecord> {
  let idle = 0;
  for (let at = start; at < end; ) {
    const { records, next } = await log.readSparse({ topic, partition }, at, PAGE);
    yield* records.filter(({ offset }) => offset < end);
    idle = next === at ? idle + 1 : 0;
    if (idle >= IDLE_MAX) {
      const what = `${topic}/${partition}: nothing comes from ${at} on, and its end is ${end}`;
      throw new LogError('UNREACHABLE', `kafka: ${what}`);
    }
    if (idle > 0) await sleep(IDLE_MS);
    at = next;
  }
}

/** What newer products have written is read too: without their schemas it would look forged. */
export async function learnSchemas(client: KafkaClient): Promise<void> {
  const say = (why: string) => process.stderr.write(`warden: a schema cannot be used: ${why}\n`);
  const schemas = new FleetSchemas(client, say);
  try {
    await schemas.learn();
  } catch (error) {
    const isAbsent = error instanceof LogError && /^(NO_TOPIC|DENIED)$/.test(error.code);
    if (!isAbsent) throw error;
    say(`${error.message}: records of newer products will look forged`);
  } finally {
    await schemas.close();
  }
}
