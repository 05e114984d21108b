import { encode, type Frame } from '#event';
import { ChainError } from './errors.ts';
import { type Chain, HASH_BYTES, linksOf } from './hash.ts';
import { hmacSha256 } from './hmac.ts';
import { checkKey } from './key.ts';
import { MAX_EVENT_BYTES, MAX_FRAME_BYTES, MAX_FRAME_EVENTS } from './limits.ts';

export const MAC_BYTES = 32;

/** A place in a chain: the sequence that comes next, and the chain hash before it. */
export interface Head {
  readonly sequence: number;
  readonly hash: Uint8Array;
}

/**
 * MAC of a frame: HMAC-SHA-256 under the host's key over the whole single-object encoding but its
 * last 32 bytes, which are the MAC: from C3 01 and the schema's fingerprint to the end of the
 * events.
 */
export function frameMac(encoded: Uint8Array, key: Uint8Array): Buffer {
  const covered = encoded.subarray(0, encoded.length - MAC_BYTES);
  return hmacSha256(key, covered);
}

/** Bytes of a frame without its events, at most: header, ids, hashes, and the widest varints. */
function overheadOf({ host }: Chain): number {
  const header = 10;
  const hostField = 2 + host.length;
  const incarnation = 1 + 16;
  const numbers = 1 + 8;
  const array = 2 + 1;
  return header + hostField + incarnation + numbers + HASH_BYTES + array + MAC_BYTES;
}

/** An event in a frame: a varint of up to 3 bytes, and its bytes. */
const EVENT_OVERHEAD = 3;

function* framesOf(events: readonly Uint8Array[], overhead: number): Generator<Uint8Array[]> {
  let frame: Uint8Array[] = [];
  let size = overhead;
  for (const event of events) {
    if (event.length === 0 || event.length > MAX_EVENT_BYTES) {
      throw new ChainError('EVENT_SIZE', `${event.length} bytes`);
    }
    const added = EVENT_OVERHEAD + event.length;
    if (frame.length === MAX_FRAME_EVENTS || size + added > MAX_FRAME_BYTES) {
      yield frame;
      frame = [];
      size = overhead;
    }
    frame.push(event);
    size += added;
  }
  if (frame.length > 0) yield frame;
}

/** Encodes with a MAC of zeros, then writes the true one over it. */
function sealFrame(frame: Omit<Frame, 'mac'>, key: Uint8Array): Buffer {
  const encoded = encode('Frame', { ...frame, mac: Buffer.alloc(MAC_BYTES) });
  encoded.set(frameMac(encoded, key), encoded.length - MAC_BYTES);
  return encoded;
}

/**
 * Seals consecutive events of one chain into frames of 1 to 256 events and at most 64 KiB.
 * `first` is the sequence of the first event, `previous` the chain hash before it (`genesis` at 0);
 * `next` is where the next call goes on. No events: no frames.
 *
 * Throws `ChainError`: EVENT_SIZE (nothing is sealed then), BAD_KEY.
 */
export function sealFrames(
  options: Chain & {
    readonly first: number;
    readonly previous: Uint8Array;
    readonly events: readonly Uint8Array[];
    readonly key: Uint8Array;
  },
): { frames: Buffer[]; next: { sequence: number; hash: Buffer } } {
  const { host, incarnation, lane, key } = options;
  checkKey(key);
  const link = linksOf(options);
  const frames: Buffer[] = [];
  let sequence = options.first;
  let hash: Buffer = Buffer.from(options.previous);
  for (const events of framesOf(options.events, overheadOf(options))) {
    const frame = { host, incarnation, lane, first: sequence, previous: hash, events };
    frames.push(sealFrame(frame, key));
    for (const event of events) hash = link(sequence++, hash, event);
  }
  return { frames, next: { sequence, hash } };
}
