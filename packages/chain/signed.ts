import { type KeyObject, sign, verify } from 'node:crypto';
import {
  type Checkpoint,
  decode,
  EventError,
  encode,
  type Heartbeat,
  hostName,
  incarnation,
  lane,
  sequence,
} from '#event';
import { ChainError } from './errors.ts';

/** What a host signs: records that begin with its name and end with its signature. */
interface SignedRecords {
  Checkpoint: Checkpoint;
  Heartbeat: Heartbeat;
}
export type SignedName = keyof SignedRecords;

export const SIGNATURE_BYTES = 64;
/** Bytes of a signed record, at most: all lanes take 3 KiB. */
export const MAX_SIGNED_BYTES = 16 * 1024;
const MAX_TEXT = 256;
const MAX_LIST = 128;

/** Public keys that signed for a host then, newest first; none: nobody may. */
export type SignersOf = (host: string, appendedMs: number) => readonly KeyObject[];

/** A record as the topic has it; `key` is what it is stored under. */
export interface StoredRecord {
  readonly offset: number;
  readonly key: string;
  readonly value: Uint8Array | null;
  readonly appendedMs: number;
}

/**
 * Encodes a record under the host's Ed25519 key: the signature is over the whole single-object
 * encoding but its last 64 bytes. The schema's fingerprint is part of it, so that a signature of a
 * heartbeat is none of a checkpoint. Throws `EventError` BAD_VALUE, `ChainError` EVENT_SIZE.
 */
export function signRecord<N extends SignedName>(
  name: N,
  record: Omit<SignedRecords[N], 'signature'>,
  key: KeyObject,
): Buffer {
  const unsigned = { ...record, signature: Buffer.alloc(SIGNATURE_BYTES) };
  const encoded = encode(name, unsigned as never);
  if (encoded.length > MAX_SIGNED_BYTES) {
    throw new ChainError('EVENT_SIZE', `a ${name} of ${encoded.length} bytes`);
  }
  const covered = encoded.subarray(0, encoded.length - SIGNATURE_BYTES);
  encoded.set(sign(null, covered, key), covered.length);
  return encoded;
}

/** Forged records of which it is looked for who has signed them: that costs all hosts' keys. */
const NAMED_MAX = 100;

/** `hosts`, as often as a reader can afford, and nobody then. */
export function asOftenAsAffordable(hosts: () => Iterable<string>): () => Iterable<string> {
  let asked = 0;
  return () => (asked++ < NAMED_MAX ? hosts() : []);
}

/**
 * Reads a record of a topic and checks whose it is. `bytes` may be hostile; so may a host that
 * holds its key. `hosts` are those that may be named when another one has signed.
 *
 * Throws `ChainError`: BAD_RECORD, WRONG_HOST, UNKNOWN_SIGNER, BAD_SIGNATURE.
 */
export function openSigned<N extends SignedName>(
  name: N,
  { key, value, appendedMs }: StoredRecord,
  { signersOf, hosts }: { readonly signersOf: SignersOf; readonly hosts: () => Iterable<string> },
): SignedRecords[N] {
  const record = read(name, value);
  const { host } = record;
  if (key !== host) throw new ChainError('WRONG_HOST', `of ${host}, stored under another name`);
  const signers = signersOf(host, appendedMs);
  if (signers.length === 0) throw new ChainError('UNKNOWN_SIGNER', `no key of ${host} was valid`);
  const bytes = value as Uint8Array;
  if (isSignedBy(bytes, signers)) return record;
  for (const other of hosts()) {
    if (other === host || !isSignedBy(bytes, signersOf(other, appendedMs))) continue;
    throw new ChainError('WRONG_HOST', `says that it is of ${host}, and ${other} has signed it`);
  }
  throw new ChainError('BAD_SIGNATURE', `not signed by ${host}, or changed since`);
}

function isSignedBy(bytes: Uint8Array, signers: readonly KeyObject[]): boolean {
  const covered = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES);
  return signers.some((key) => verify(null, covered, key, signature));
}

function read<N extends SignedName>(name: N, value: Uint8Array | null): SignedRecords[N] {
  if (value === null) throw new ChainError('BAD_RECORD', 'a record without a value');
  if (value.length > MAX_SIGNED_BYTES) {
    throw new ChainError('BAD_RECORD', `${value.length} bytes, above ${MAX_SIGNED_BYTES}`);
  }
  try {
    const record = decode(name, value) as SignedRecords[N];
    if (hostName(record.host) !== record.host) throw new EventError('BAD_ID', 'host name');
    incarnation(record.incarnation);
    if ('heads' in record) checkHeads(record);
    else checkHeartbeat(record);
    return record;
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new ChainError('BAD_RECORD', error.message, { cause: error });
  }
}

function checkHeads({ heads }: Checkpoint): void {
  let before = -1;
  for (const head of heads) {
    if (lane(head.lane) <= before) throw new EventError('BAD_VALUE', `lane ${head.lane} twice`);
    if (sequence(head.sequence) === 0) throw new EventError('BAD_VALUE', 'a lane without events');
    before = head.lane;
  }
}

function checkHeartbeat(heartbeat: Heartbeat): void {
  const { bootId, mode, version, policy, capabilities, lost } = heartbeat;
  const texts = [bootId, mode, version, policy, ...capabilities, ...lost.map(({ ring }) => ring)];
  if (texts.length <= MAX_LIST && texts.every(({ length }) => length <= MAX_TEXT)) return;
  throw new EventError('OVER_LIMIT', `more than ${MAX_LIST} texts, or one above ${MAX_TEXT}`);
}
