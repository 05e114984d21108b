import { hkdfSync, randomBytes } from 'node:crypto';
import type { HostName } from '#event';
import { ChainError } from './errors.ts';

export const KEY_BYTES = 32;

/** A random key for a host that belongs to no fleet. */
export function newHostKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/**
 * The key of one host of a fleet: HKDF-SHA-256 of the fleet key, no salt, info
 * `bpf-warden/host-key/1/` + host name, and `/` + generation behind the first. A host gets only its
 * own, so it cannot seal for another.
 */
export function deriveHostKey(fleetKey: Uint8Array, host: HostName, generation = 0): Buffer {
  checkKey(fleetKey);
  const name = generation === 0 ? host : `${host}/${generation}`;
  return Buffer.from(hkdfSync('sha256', fleetKey, '', `bpf-warden/host-key/1/${name}`, KEY_BYTES));
}

/** HMAC takes any key, also an empty one: a mistake here would authenticate everybody. */
export function checkKey(key: Uint8Array): void {
  if (key.length === KEY_BYTES) return;
  throw new ChainError('BAD_KEY', `${key.length} bytes instead of ${KEY_BYTES}`);
}
