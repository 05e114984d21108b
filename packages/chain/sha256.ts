import { hash } from 'node:crypto';

/*
 * Digests leave Node as text of one byte a character: for a digest that it hands out as a buffer it
 * makes one with memory of its own, which takes longer than the hash itself.
 */

/** SHA-256 of `bytes`: 32 bytes. */
export function sha256(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/** Puts the SHA-256 of `bytes` into `to`, from `at` on. */
export function writeSha256(bytes: Uint8Array, to: Buffer, at: number): void {
  to.write(hash('sha256', bytes, 'binary'), at, 'latin1');
}
