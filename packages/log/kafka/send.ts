import type { Message, RecordMetadata, TopicMessages } from 'kafkajs';
import { LANES } from '#event';
import { LogError } from '../errors.ts';
import { storedKey } from '../rows.ts';
import type { KafkaClient } from './client.ts';
import type { FleetTopic } from './topics.ts';

/** A record to send. A null value is a tombstone. */
export interface Outgoing {
  readonly topic: FleetTopic;
  readonly partition: number;
  readonly lane: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Messages and bytes of one send to a partition, at most. */
const SEND_MESSAGES = 4000;
const SEND_BYTES = 512 * 1024;
/** What a record takes beside key and value. */
const OVERHEAD_BYTES = 64;

/** Takes the partition that the caller chose. */
export const chosenPartition = () => (args: { readonly message: Message }) =>
  args.message.partition ?? 0;

/** Where records went: the offset of each, and when the log took them in where it says so. */
export interface Sent {
  readonly offsets: number[];
  readonly appendedMs: number | null;
}

interface Part {
  readonly topic: FleetTopic;
  readonly partition: number;
  readonly indexes: number[];
  bytes: number;
}

/** Cuts records into sends: in order within each partition, each send within its limits. */
export function cut(records: readonly Outgoing[]): Part[][] {
  const rounds: Part[][] = [];
  /** By partition: its part of the last round that it is in. */
  const open = new Map<string, { readonly part: Part; readonly round: number }>();
  for (const [index, { topic, partition, key, value }] of records.entries()) {
    const id = `${topic}/${partition}`;
    const bytes = OVERHEAD_BYTES + key.length + (value?.length ?? 0);
    const here = open.get(id);
    if (here !== undefined && fits(here.part, bytes)) {
      here.part.indexes.push(index);
      here.part.bytes += bytes;
      continue;
    }
    const round = here === undefined ? 0 : here.round + 1;
    const part = { topic, partition, indexes: [index], bytes };
    rounds[round] ??= [];
    rounds[round].push(part);
    open.set(id, { part, round });
  }
  return rounds;
}

function fits({ indexes, bytes }: Part, more: number): boolean {
  return indexes.length < SEND_MESSAGES && bytes + more <= SEND_BYTES;
}

type SendBatch = (batch: {
  acks: number;
  topicMessages: TopicMessages[];
}) => Promise<RecordMetadata[]>;

/** Sends all records with `sendBatch`, and checks that each partition took what it was sent. */
export async function sendAll(
  client: KafkaClient,
  records: readonly Outgoing[],
  sendBatch: SendBatch,
): Promise<Sent> {
  const offsets = new Array<number>(records.length).fill(-1);
  let appendedMs: number | null = null;
  for (const parts of cut(records)) {
    const topicMessages = parts.map((part) => ({
      topic: client.topic(part.topic),
      messages: part.indexes.map((index) => messageOf(records[index] as Outgoing)),
    }));
    const metadata = await sendBatch({ acks: -1, topicMessages });
    for (const part of parts) {
      const got = taken(client, part, metadata);
      const base = Number(got.baseOffset);
      for (const [n, index] of part.indexes.entries()) offsets[index] = base + n;
      const time = Number(got.logAppendTime ?? -1);
      if (time >= 0) appendedMs = Math.max(appendedMs ?? 0, time);
    }
  }
  return { offsets, appendedMs };
}

/** One object a lane: its bytes are made once. */
const LANE_HEADERS = Array.from({ length: LANES }, (_, lane) => Object.freeze({ lane: `${lane}` }));

function messageOf({ key, value, lane, partition, headers }: Outgoing): Message {
  const own = LANE_HEADERS[lane] ?? { lane: `${lane}` };
  return {
    key: Buffer.from(storedKey(key)),
    value: value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.length),
    partition,
    headers: headers === undefined ? own : { ...own, ...headers },
  };
}

/** kafkajs drops records for a partition that does not exist, without an error. */
function taken(client: KafkaClient, part: Part, metadata: readonly RecordMetadata[]) {
  const topic = client.topic(part.topic);
  const found = metadata.find((one) => one.topicName === topic && one.partition === part.partition);
  if (found !== undefined && (found.errorCode ?? 0) === 0) return found;
  const what = `partition ${part.partition} of ${topic} took no record`;
  throw new LogError('NO_TOPIC', `kafka: ${what}: ./warden topics plan`);
}
