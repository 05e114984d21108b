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

/** Forged records under one host's name of which it is looked for who has signed them. */
const NAMED_MAX = 10;

/**
 * `hosts`, as often as a reader can afford, and nobody then: each time costs all hosts' keys. The
 * bound is for each name that is claimed, so that a flood under one hides nothing under another.
 */
export function asOftenAsAffordable(hosts: () => Iterable<string>): HostsFor {
  const asked = new Map<string, number>();
  return (claimed) => {
    const before = asked.get(claimed) ?? 0;
    asked.set(claimed, before + 1);
    return before < NAMED_MAX ? hosts() : [];
  };
}

/** Those that may be named when another one has signed what claims to be of a host. */
export type HostsFor = (claimed: string) => Iterable<string>;

interface Signing {
  readonly signersOf: SignersOf;
  readonly hosts: HostsFor;
}

/**
 * Reads a record of a topic and checks whose it is. `bytes` may be hostile; so may a host that
 * holds its key.
 *
 * Throws `ChainError`: BAD_RECORD, WRONG_HOST, UNKNOWN_SIGNER, BAD_SIGNATURE.
 */
export function openSigned<N extends SignedName>(
  name: N,
  stored: StoredRecord,
  signing: Signing,
): SignedRecords[N] {
  return openSignedBy(name, stored, signing).record;
}

/** The same, and by which of the host's keys: 0 is its newest. */
export function openSignedBy<N extends SignedName>(
  name: N,
  { key, value, appendedMs }: StoredRecord,
  { signersOf, hosts }: Signing,
): { readonly record: SignedRecords[N]; readonly signer: number } {
  const record = read(name, value);
  const { host } = record;
  if (key !== host) throw new ChainError('WRONG_HOST', `of ${host}, stored under another name`);
  const signers = signersOf(host, appendedMs);
  if (signers.length === 0) throw new ChainError('UNKNOWN_SIGNER', `no key of ${host} was valid`);
  const bytes = value as Uint8Array;
  const signer = signerOf(bytes, signers);
  if (signer >= 0) return { record, signer };
  for (const other of hosts(host)) {
    if (other === host || signerOf(bytes, signersOf(other, appendedMs)) < 0) continue;
    throw new ChainError('WRONG_HOST', `says that it is of ${host}, and ${other} has signed it`);
  }
  throw new ChainError('BAD_SIGNATURE', `not signed by ${host}, or changed since`);
}

function signerOf(bytes: Uint8Array, signers: readonly KeyObject[]): number {
  const covered = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  const signature = bytes.subarray(bytes.length - SIGNATURE_BYTES);
  return signers.findIndex((key) => verify(null, covered, key, signature));
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

function checkHeads({ heads, number }: Checkpoint): void {
  if (!(Number.isSafeInteger(number) && number >= 1)) {
    throw new EventError('BAD_VALUE', `number ${number}`);
  }
  let before = -1;
  for (const head of heads) {
    if (lane(head.lane) <= before) throw new EventError('BAD_VALUE', `lane ${head.lane} twice`);
    if (sequence(head.sequence) === 0) throw new EventError('BAD_VALUE', 'a lane without events');
    before = head.lane;
  }
}

function checkHeartbeat(heartbeat: Heartbeat): void {
  const { bootId, mode, version, policy, capabilities, lost, checkpoint } = heartbeat;
  if (!(Number.isSafeInteger(checkpoint) && checkpoint >= 0)) {
    throw new EventError('BAD_VALUE', `checkpoint ${checkpoint}`);
  }
  const texts = [bootId, mode, version, policy, ...capabilities, ...lost.map(({ ring }) => ring)];
  if (texts.length <= MAX_LIST && texts.every(({ length }) => length <= MAX_TEXT)) return;
  throw new EventError('OVER_LIMIT', `more than ${MAX_LIST} texts, or one above ${MAX_TEXT}`);
}
