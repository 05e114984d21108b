import { readdirSync, readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Schema, Walker } from './bounds.ts';
import { crc64Avro } from './crc64.ts';
import { EventError } from './errors.ts';
import type { Control, Enriched, Event, Frame, SignalRecord, TierRecord } from './event.ts';
import type { Checkpoint, Heartbeat } from './host.ts';
import type { External, Override, Rollout } from './operator.ts';

/** Record types by schema name: what `encode` takes and `decode` gives. */
export interface Records {
  Event: Event;
  Frame: Frame;
  Enriched: Enriched;
  Tier: TierRecord;
  Control: Control;
  Signal: SignalRecord;
  Override: Override;
  External: External;
  Rollout: Rollout;
  Checkpoint: Checkpoint;
  Heartbeat: Heartbeat;
  /** Its shape belongs to packages/trust, which checks it. */
  Trust: unknown;
}

const FILES: Readonly<Record<keyof Records, string>> = {
  Event: 'event.avsc',
  Frame: 'frame.avsc',
  Enriched: 'enriched.avsc',
  Tier: 'tier.avsc',
  Control: 'control.avsc',
  Signal: 'signal.avsc',
  Override: 'override.avsc',
  External: 'external.avsc',
  Rollout: 'rollout.avsc',
  Checkpoint: 'checkpoint.avsc',
  Heartbeat: 'heartbeat.avsc',
  Trust: 'trust.avsc',
};

/** Bytes before the value: C3 01 and the CRC-64-AVRO fingerprint, little-endian. */
export const HEADER_BYTES = 10;

interface Codec {
  readonly name: keyof Records;
  readonly type: avsc.Type;
  readonly schema: Schema;
  readonly header: Buffer;
  /** From another version of the schema to ours; null for ours. */
  readonly resolver: unknown;
}

/** A version of a record's schema: its canonical form, and that one's fingerprint in hex. */
export interface SchemaVersion {
  readonly name: keyof Records;
  readonly fingerprint: string;
  readonly text: string;
}

const byName = new Map<string, Codec>();
const byFingerprint = new Map<bigint, Codec>();
const HISTORY = new URL('../../schemas/history/', import.meta.url);
/** Of a schema's text; ours have a tenth of it. */
const SCHEMA_BYTES_MAX = 64 * 1024;
/** Versions that are remembered, so that nobody fills our memory with them. */
const VERSIONS_MAX = 1000;

const hexOf = (fingerprint: bigint) => fingerprint.toString(16).padStart(16, '0');

/** Of a schema whose record is none of ours: null. Throws what avsc throws. */
function codecFrom(schema: unknown): { codec: Codec; version: SchemaVersion } | null {
  const type = avsc.Type.forSchema(schema as avsc.Schema);
  const name = type.name?.split('.').at(-1) as keyof Records;
  if (!Object.hasOwn(FILES, name)) return null;
  const text = JSON.stringify(type.schema());
  const fingerprint = crc64Avro(Buffer.from(text));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(0xc301);
  header.writeBigUInt64LE(fingerprint, 2);
  const ours = byName.get(name);
  const resolver = ours === undefined ? null : ours.type.createResolver(type);
  // avsc prints names with their namespace, and so refers to them: one form for walker and type.
  const codec = { name, type, schema: JSON.parse(text) as Schema, header, resolver };
  return { codec, version: { name, fingerprint: hexOf(fingerprint), text } };
}

for (const file of Object.values(FILES)) {
  const url = new URL(`../../schemas/${file}`, import.meta.url);
  const made = codecFrom(JSON.parse(readFileSync(url, 'utf8')));
  if (made === null) throw new Error(`${file} is no record of ours`);
  const { codec, version } = made;
  byName.set(codec.name, codec);
  byFingerprint.set(BigInt(`0x${version.fingerprint}`), codec);
}

/**
 * From here on records of this version can be read: what it has more is left out, what it lacks
 * has its default. Returns whether that is new. Throws `EventError` BAD_VALUE: no schema, another
 * record, not the fingerprint it claims to have, or one that ours cannot be read from.
 */
export function learnSchema(text: string, fingerprint: string): boolean {
  const bad = (why: string, cause?: unknown) =>
    new EventError('BAD_VALUE', `schema ${fingerprint}: ${why}`, { cause });
  if (text.length > SCHEMA_BYTES_MAX) throw bad(`${text.length} characters`);
  let made: ReturnType<typeof codecFrom>;
  try {
    made = codecFrom(JSON.parse(text));
  } catch (error) {
    throw bad((error as Error).message, error);
  }
  if (made === null) throw bad('a record of another name');
  const { codec, version } = made;
  if (version.fingerprint !== fingerprint) throw bad(`its fingerprint is ${version.fingerprint}`);
  const key = BigInt(`0x${fingerprint}`);
  if (byFingerprint.has(key)) return false;
  if (byFingerprint.size >= VERSIONS_MAX) throw bad(`more than ${VERSIONS_MAX} versions`);
  byFingerprint.set(key, codec);
  return true;
}

/** The schemas that this product writes. */
export function ownSchemas(): SchemaVersion[] {
  return [...byName.values()].map(({ name, schema, header }) => {
    const fingerprint = hexOf(header.readBigUInt64LE(2));
    return { name, fingerprint, text: JSON.stringify(schema) };
  });
}

/** Every schema that was ever written, from `schemas/history`: `Event-0011223344556677.avsc`. */
export function schemaHistory(): SchemaVersion[] {
  const files = readdirSync(HISTORY).filter((file) => file.endsWith('.avsc'));
  return files.sort().map((file) => {
    const [, name, fingerprint] = /^([A-Z][a-z]+)-([0-9a-f]{16})\.avsc$/.exec(file) ?? [];
    if (name === undefined || fingerprint === undefined) throw new Error(`schemas/history/${file}`);
    const text = readFileSync(new URL(file, HISTORY), 'utf8').trim();
    return { name: name as keyof Records, fingerprint, text };
  });
}

let isHistoryKnown = false;

/** Older versions of our own are rare: they are read when one is met. */
function knowHistory(): void {
  if (isHistoryKnown) return;
  isHistoryKnown = true;
  for (const { text, fingerprint } of schemaHistory()) learnSchema(text, fingerprint);
}

function codecOf(name: string): Codec {
  const codec = byName.get(name);
  if (codec === undefined) throw new EventError('UNKNOWN_SCHEMA', name);
  return codec;
}

/** Where values are encoded before their length is known; as long as the longest so far. */
let scratch = Buffer.alloc(16 * 1024);

/** Avro single-object bytes. Throws `EventError` BAD_VALUE when `value` does not fit its schema. */
export function encode<N extends keyof Records>(name: N, value: Records[N]): Buffer {
  const { header, type } = codecOf(name);
  try {
    let end = type.encode(value, scratch, HEADER_BYTES);
    if (end < 0) {
      scratch = Buffer.alloc(2 * (scratch.length - end));
      end = type.encode(value, scratch, HEADER_BYTES);
    }
    scratch.set(header);
    const bytes = Buffer.allocUnsafe(end);
    scratch.copy(bytes, 0, 0, end);
    return bytes;
  } catch (error) {
    throw new EventError('BAD_VALUE', `${name}: ${(error as Error).message}`, { cause: error });
  }
}

function codecAt(bytes: Uint8Array): Codec {
  if (bytes.length < HEADER_BYTES) throw new EventError('TRUNCATED', `${bytes.length} bytes`);
  if (bytes[0] !== 0xc3 || bytes[1] !== 0x01) throw new EventError('NOT_AVRO', 'no C3 01 header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fingerprint = view.getBigUint64(2, true);
  if (!byFingerprint.has(fingerprint)) knowHistory();
  const codec = byFingerprint.get(fingerprint);
  if (codec === undefined) throw new EventError('UNKNOWN_SCHEMA', hexOf(fingerprint));
  return codec;
}

/** The schema name of single-object bytes. Throws `EventError`. */
export function schemaOf(bytes: Uint8Array): keyof Records {
  return codecAt(bytes).name;
}

/**
 * Inverse of `encode`, for hostile bytes too: lengths and counts are checked first.
 * Throws `EventError`: TRUNCATED, NOT_AVRO, UNKNOWN_SCHEMA, OVER_LIMIT, TRAILING_BYTES, BAD_VALUE.
 */
export function decode<N extends keyof Records>(name: N, bytes: Uint8Array): Records[N] {
  const codec = codecAt(bytes);
  if (codec.name !== name) throw new EventError('BAD_VALUE', `${codec.name} where ${name} belongs`);
  const end = new Walker(bytes, HEADER_BYTES).walk(codec.schema);
  if (end !== bytes.length) throw new EventError('TRAILING_BYTES', `${bytes.length - end} left`);
  return read<N>(codec, bytes);
}

/** `decode` without the bounds check: for bytes whose MAC this process has checked or made. */
export function decodeTrusted<N extends keyof Records>(name: N, bytes: Uint8Array): Records[N] {
  const ours = codecOf(name);
  const codec = ours.header.compare(bytes, 0, HEADER_BYTES) === 0 ? ours : codecAt(bytes);
  if (codec.name !== name) throw new EventError('BAD_VALUE', `${codec.name} where ${name} belongs`);
  return read<N>(codec, bytes);
}

function read<N extends keyof Records>(codec: Codec, bytes: Uint8Array): Records[N] {
  const { name, type, resolver } = codec;
  const body = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + HEADER_BYTES,
    bytes.length - HEADER_BYTES,
  );
  try {
    if (resolver === null) return type.fromBuffer(body) as Records[N];
    return codecOf(name).type.fromBuffer(body, resolver as never) as Records[N];
  } catch (error) {
    throw new EventError('BAD_VALUE', `${name}: ${(error as Error).message}`, { cause: error });
  }
}
