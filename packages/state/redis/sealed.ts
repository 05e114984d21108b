import { hkdfSync, timingSafeEqual } from 'node:crypto';
import { hmacSha256 } from '#chain';

const MAC_BYTES = 16;

/** The key of values in Redis, from one that only the fleet's centre holds. */
export function viewKey(control: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', control, '', 'bpf-warden/view/1', 32));
}

/** HMAC-SHA-256, first half, over place and value: nobody but us raises trust in Redis. */
function macOf(key: Uint8Array, place: string, value: Uint8Array): Buffer {
  const named = Buffer.from(`${place.length}/${place}`);
  return hmacSha256(key, named, value).subarray(0, MAC_BYTES);
}

export function sealValue(key: Uint8Array, place: string, value: Uint8Array): Buffer {
  return Buffer.concat([macOf(key, place, value), value]);
}

/** The value; null when it is not ours. */
export function openValue(key: Uint8Array, place: string, bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < MAC_BYTES) return null;
  const value = bytes.subarray(MAC_BYTES);
  const good = timingSafeEqual(macOf(key, place, value), bytes.subarray(0, MAC_BYTES));
  return good ? new Uint8Array(value) : null;
}
