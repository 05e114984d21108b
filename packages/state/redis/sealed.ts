import { hkdfSync, timingSafeEqual } from 'node:crypto';
import { hmacSha256 } from '#chain';

/** Before each value. */
export const MAC_BYTES = 16;

/** The key of values in Redis, from one that only the fleet's centre holds. */
export function viewKey(control: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', control, '', 'bpf-warden/view/1', 32));
}

/** HMAC-SHA-256, first half, over place and value: nobody but us raises trust in Redis. */
function macOf(key: Uint8Array, place: string, value: Uint8Array): Buffer {
  return hmacSha256(key, `${place.length}/${place}`, value);
}

/** Writes MAC and value into `to`. Returns where to go on. */
export function sealInto(
  to: Buffer,
  at: number,
  { key, place, value }: { key: Uint8Array; place: string; value: Uint8Array },
): number {
  macOf(key, place, value).copy(to, at, 0, MAC_BYTES);
  to.set(value, at + MAC_BYTES);
  return at + MAC_BYTES + value.length;
}

/** The value; null when it is not ours. */
export function openValue(key: Uint8Array, place: string, bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < MAC_BYTES) return null;
  const value = bytes.subarray(MAC_BYTES);
  const mac = macOf(key, place, value).subarray(0, MAC_BYTES);
  return timingSafeEqual(mac, bytes.subarray(0, MAC_BYTES)) ? new Uint8Array(value) : null;
}
