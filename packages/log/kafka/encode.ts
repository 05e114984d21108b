import { createRequire } from 'node:module';
import { replaceFile } from '../replace.ts';
import { crc32c } from './crc32c.ts';

/**
 * What kafkajs encodes a message with costs several objects and a dozen small buffers each. Here a
 * whole batch is laid out first and then written into one buffer: the same bytes (what it saves:
 * docs/internals/cost.md). It takes the place of kafkajs's own; what we never send (compression,
 * times of our own) is left to that. kafkajs 2.2.4 is pinned, and a test compares the bytes.
 */
interface Message {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestamp?: string;
}

interface Part {
  readonly partition: number;
  readonly messages: readonly Message[];
  readonly firstSequence?: number;
}

interface Request {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null;
  readonly producerId?: number | string | object;
  readonly producerEpoch?: number;
  readonly compression?: number;
  readonly topicData: readonly { readonly topic: string; readonly partitions: readonly Part[] }[];
}

/** What kafkajs takes for an encoder of its own. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
}

export interface ProduceRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly expectResponse: () => boolean;
  readonly encode: () => Promise<Encoded>;
}

const MAGIC = 2;
const TRANSACTIONAL = 16;
/** Of a batch, before its records: from its first offset to their number. */
const BATCH_BYTES = 61;
/** Where in it the length, the checksum, and what the checksum covers begin. */
const LENGTH_AT = 8;
const CHECKSUM_AT = 17;
const COVERED_AT = 21;

function varintSize(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let size = 1;
  for (; rest > 0x7f; rest >>>= 7) size += 1;
  return size;
}

/** Zig-zag. Returns where to go on. */
function writeVarint(to: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let next = at;
  for (; rest > 0x7f; rest >>>= 7) to[next++] = (rest & 0x7f) | 0x80;
  to[next++] = rest;
  return next;
}

function writeBytes(to: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) return writeVarint(to, at, -1);
  const next = writeVarint(to, at, bytes.length);
  to.set(bytes, next);
  return next + bytes.length;
}

const bytesSize = (bytes: Buffer | null) =>
  bytes === null ? 1 : varintSize(bytes.length) + bytes.length;

const known = new WeakMap<object, Buffer>();
const NONE: Readonly<Record<string, string>> = Object.freeze({});

/** Of an object that never changes, and so may be that of many records, they are made once. */
function headerBytes(headers: Readonly<Record<string, string>> = NONE): Buffer {
  const found = known.get(headers);
  if (found !== undefined) return found;
  const pairs = Object.entries(headers).map(([name, value]): [Buffer, Buffer] => [
    Buffer.from(name),
    Buffer.from(value),
  ]);
  const size = pairs.flat().reduce((sum, one) => sum + bytesSize(one), varintSize(pairs.length));
  const bytes = Buffer.allocUnsafe(size);
  let at = writeVarint(bytes, 0, pairs.length);
  for (const one of pairs.flat()) at = writeBytes(bytes, at, one);
  if (Object.isFrozen(headers)) known.set(headers, bytes);
  return bytes;
}

interface LaidOut extends Part {
  readonly headers: readonly Buffer[];
  /** Of each record, without its own length. */
  readonly sizes: readonly number[];
  readonly bytes: number;
}

function layOut(part: Part): LaidOut {
  const headers: Buffer[] = [];
  const sizes: number[] = [];
  let bytes = BATCH_BYTES;
  for (const [n, message] of part.messages.entries()) {
    const header = headerBytes(message.headers);
    // Attributes and the difference of times are a zero each.
    const fields = bytesSize(message.key) + bytesSize(message.value);
    const size = 2 + varintSize(n) + fields + header.length;
    headers.push(header);
    sizes.push(size);
    bytes += varintSize(size) + size;
  }
  return { ...part, headers, sizes, bytes };
}

function writeRecords(to: Buffer, from: number, { messages, headers, sizes }: LaidOut): number {
  let at = from;
  for (const [n, { key, value }] of messages.entries()) {
    at = writeVarint(to, at, sizes[n] as number);
    to[at++] = 0;
    to[at++] = 0;
    at = writeVarint(to, at, n);
    at = writeBytes(to, at, key);
    at = writeBytes(to, at, value);
    const header = headers[n] as Buffer;
    to.set(header, at);
    at += header.length;
  }
  return at;
}

function writeBatch(to: Buffer, from: number, part: LaidOut, request: Request): number {
  const { transactionalId = null, producerId = -1, producerEpoch = 0 } = request;
  const nowMs = BigInt(Date.now());
  to.writeBigInt64BE(0n, from);
  to.writeInt32BE(part.bytes - LENGTH_AT - 4, from + LENGTH_AT);
  to.writeInt32BE(0, from + 12);
  to.writeInt8(MAGIC, from + 16);
  to.writeInt16BE(transactionalId === null ? 0 : TRANSACTIONAL, from + 21);
  to.writeInt32BE(part.messages.length - 1, from + 23);
  to.writeBigInt64BE(nowMs, from + 27);
  to.writeBigInt64BE(nowMs, from + 35);
  to.writeBigInt64BE(BigInt(producerId.toString()), from + 43);
  to.writeInt16BE(producerEpoch, from + 51);
  to.writeInt32BE(part.firstSequence ?? 0, from + 53);
  to.writeInt32BE(part.messages.length, from + 57);
  const end = writeRecords(to, from + BATCH_BYTES, part);
  to.writeUInt32BE(crc32c(to, from + COVERED_AT, end), from + CHECKSUM_AT);
  return end;
}

/** Length and bytes; a null is the length -1. */
function writeString(to: Buffer, at: number, text: string | null): number {
  if (text === null) return to.writeInt16BE(-1, at);
  const length = to.write(text, at + 2);
  to.writeInt16BE(length, at);
  return at + 2 + length;
}

const stringSize = (text: string | null) => 2 + (text === null ? 0 : Buffer.byteLength(text));

/** The body of a produce request, versions 3 to 7. */
export function encodeProduce(request: Request): Buffer {
  const { acks, timeout, transactionalId = null } = request;
  const topics = request.topicData.map(({ topic, partitions }) => {
    return { topic, parts: partitions.map(layOut) };
  });
  let size = stringSize(transactionalId) + 10;
  for (const { topic, parts } of topics) {
    size += stringSize(topic) + 4;
    for (const { bytes } of parts) size += 8 + bytes;
  }
  const to = Buffer.allocUnsafe(size);
  let at = writeString(to, 0, transactionalId);
  at = to.writeInt16BE(acks, at);
  at = to.writeInt32BE(timeout, at);
  at = to.writeInt32BE(topics.length, at);
  for (const { topic, parts } of topics) {
    at = writeString(to, at, topic);
    at = to.writeInt32BE(parts.length, at);
    for (const part of parts) {
      at = to.writeInt32BE(part.partition, at);
      at = to.writeInt32BE(part.bytes, at);
      at = writeBatch(to, at, part, request);
    }
  }
  return to;
}

function isOurs({ compression = 0, topicData }: Request): boolean {
  const plain = ({ messages }: Part) => messages.every(({ timestamp }) => timestamp === undefined);
  return compression === 0 && topicData.every(({ partitions }) => partitions.every(plain));
}

const require = createRequire(import.meta.url);
/** What kafkajs looks a request up in, at each request. */
const definition = require('kafkajs/src/protocol/requests/produce') as {
  protocol: (asked: {
    readonly version: number;
  }) => (request: Request) => { readonly request: ProduceRequest; readonly response: object };
};
const theirs = definition.protocol;
/** The first version with batches of this form; no broker that we run with asks for an older. */
const FIRST_VERSION = 3;

/** kafkajs's own, for what is not ours and for the test. */
export const kafkajsProduce = (request: Request, version = FIRST_VERSION) =>
  theirs({ version })(request).request;

function produce(request: Request, version: number): ProduceRequest {
  const own = kafkajsProduce(request, version);
  if (version < FIRST_VERSION || !isOurs(request)) return own;
  const encode = async () => {
    const bytes = encodeProduce(request);
    return { buf: bytes, buffer: bytes, size: () => bytes.length };
  };
  return { ...own, encode };
}

type Partitioner = (args: object) => number;

/** kafkajs copies the list of a partition for each message that comes to it. */
function groupMessages(args: {
  readonly topic: string;
  readonly partitionMetadata: readonly object[];
  readonly messages: readonly Message[];
  readonly partitioner: Partitioner;
}): Record<number, Message[]> {
  const { topic, partitionMetadata, messages, partitioner } = args;
  const grouped: Record<number, Message[]> = {};
  if (partitionMetadata.length === 0) return grouped;
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    grouped[partition] ??= [];
    grouped[partition].push(message);
  }
  return grouped;
}

/** From here on kafkajs encodes with ours. */
definition.protocol = ({ version }) => {
  return (request) => ({ ...theirs({ version })(request), request: produce(request, version) });
};
replaceFile('kafkajs/src/producer/groupMessagesPerPartition', groupMessages);
