import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Schema, Walker } from './bounds.ts';
import { crc64Avro } from './crc64.ts';
import { EventError } from './errors.ts';
import type { Control, Enriched, Event, Frame, SignalRecord, TierRecord } from './event.ts';
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
  Trust: 'trust.avsc',
};

/** Bytes before the value: C3 01 and the CRC-64-AVRO fingerprint, little-endian. */
export const HEADER_BYTES = 10;

interface Codec {
  readonly name: keyof Records;
  readonly type: avsc.Type;
  readonly schema: Schema;
  readonly header: Buffer;
}

const byName = new Map<string, Codec>();
const byFingerprint = new Map<bigint, Codec>();

for (const name of Object.keys(FILES) as (keyof Records)[]) {
  const url = new URL(`../../schemas/${FILES[name]}`, import.meta.url);
  const type = avsc.Type.forSchema(JSON.parse(readFileSync(url, 'utf8')));
  const canonical = JSON.stringify(type.schema());
  const fingerprint = crc64Avro(Buffer.from(canonical));
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(0xc301);
  header.writeBigUInt64LE(fingerprint, 2);
  // avsc prints names with their namespace, and so refers to them: one form for walker and type.
  const codec: Codec = { name, type, schema: JSON.parse(canonical) as Schema, header };
  byName.set(name, codec);
  byFingerprint.set(fingerprint, codec);
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
    return Buffer.from(scratch.subarray(0, end));
  } catch (error) {
    throw new EventError('BAD_VALUE', `${name}: ${(error as Error).message}`, { cause: error });
  }
}

function codecAt(bytes: Uint8Array): Codec {
  if (bytes.length < HEADER_BYTES) throw new EventError('TRUNCATED', `${bytes.length} bytes`);
  if (bytes[0] !== 0xc3 || bytes[1] !== 0x01) throw new EventError('NOT_AVRO', 'no C3 01 header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fingerprint = view.getBigUint64(2, true);
  const codec = byFingerprint.get(fingerprint);
  if (codec === undefined) throw new EventError('UNKNOWN_SCHEMA', fingerprint.toString(16));
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
  return decodeTrusted(name, bytes);
}

/** `decode` without the bounds check: for bytes whose MAC this process has checked or made. */
export function decodeTrusted<N extends keyof Records>(name: N, bytes: Uint8Array): Records[N] {
  const codec = codecOf(name);
  const body = Buffer.from(
    bytes.buffer,
    bytes.byteOffset + HEADER_BYTES,
    bytes.length - HEADER_BYTES,
  );
  try {
    return codec.type.fromBuffer(body) as Records[N];
  } catch (error) {
    throw new EventError('BAD_VALUE', `${name}: ${(error as Error).message}`, { cause: error });
  }
}
