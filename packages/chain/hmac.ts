import { sha256, writeSha256 } from './sha256.ts';

const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const INNER = 0x36;
const OUTER = 0x5c;

/** A key laid out for HMAC-SHA-256: a block with each of its two pads. */
interface Pads {
  readonly key: Buffer;
  readonly inner: Buffer;
  readonly outer: Buffer;
}

const known = new WeakMap<Uint8Array, Pads>();
let scratch = Buffer.alloc(16 * 1024);

function padsOf(key: Uint8Array): Pads {
  const found = known.get(key);
  if (found !== undefined && Buffer.compare(found.key, key) === 0) return found;
  const short = key.length > BLOCK_BYTES ? sha256(key) : key;
  const pads = {
    key: Buffer.from(key),
    inner: Buffer.alloc(BLOCK_BYTES, INNER),
    outer: Buffer.alloc(BLOCK_BYTES + HASH_BYTES, OUTER),
  };
  for (const [n, byte] of short.entries()) {
    pads.inner[n] = byte ^ INNER;
    pads.outer[n] = byte ^ OUTER;
  }
  known.set(key, pads);
  return pads;
}

/** Of a character in UTF-8, for each unit of its string. */
const UTF8_MAX = 3;

/**
 * HMAC-SHA-256 (RFC 2104) of `parts`, one behind the other, text as UTF-8. Node's own takes most of
 * its time to look at the key, again for each record.
 */
export function hmacSha256(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const { inner, outer } = padsOf(key);
  let length = BLOCK_BYTES;
  for (const part of parts) length += part.length * (typeof part === 'string' ? UTF8_MAX : 1);
  if (length > scratch.length) scratch = Buffer.alloc(2 * length);
  scratch.set(inner);
  let at = BLOCK_BYTES;
  for (const part of parts) {
    if (typeof part === 'string') at += scratch.write(part, at);
    else {
      scratch.set(part, at);
      at += part.length;
    }
  }
  writeSha256(scratch.subarray(0, at), outer, BLOCK_BYTES);
  return sha256(outer);
}
