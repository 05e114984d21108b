import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

const MAC_BYTES = 16;

/** The key of values in Redis, from one that only the fleet's centre holds. */
export function viewKey(control: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', control, '', 'bpf-warden/view/1', 32));
}

/** HMAC-SHA-256, first half, over place and value: nobody but us raises trust in Redis. */
function macOf(key: Uint8Array, place: string, value: Uint8Array): Buffer {
  const mac = createHmac('sha256', key).update(`${place.length}/${place}`).update(value).digest();
  return mac.subarray(0, MAC_BYTES);
}

export function sealValue(key: Uint8Array, place: string, value: Uint8Array): Buffer {
  return Buffer.concat([macOf(key, place, value), value]);
}

/** The value; null when it is not ours. */
export function openValue(key: Uint8Array, place: string, bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < MAC_BYTES) return null;
  const value = bytes.subarray(MAC_BYTES);
  const good = timingSafeEqual(macOf(key, place, value), bytes.subarray(0, MAC_BYTES));
  return good ? Uint8Array.from(value) : null;
}
