import { createRequire } from 'node:module';

/**
 * Each request goes through two encoders of kafkajs, which make room in powers of two and fill it
 * with zeros before they copy: for 2 MiB of records twice 4 MiB. Here room is what is needed, and
 * is not filled; what is read of it has been written. kafkajs 2.2.4 is pinned, and a test compares
 * the bytes.
 */
interface Encoder {
  buf: Buffer;
  readonly offset: number;
  ensureAvailable(length: number): void;
}

function ensureAvailable(this: Encoder, length: number): void {
  const { buf, offset } = this;
  const needed = offset + length;
  if (needed <= buf.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, 2 * buf.length));
  buf.copy(larger, 0, 0, offset);
  this.buf = larger;
}

const require = createRequire(import.meta.url);
const Theirs = require('kafkajs/src/protocol/encoder') as { readonly prototype: Encoder };

Object.assign(Theirs.prototype, { ensureAvailable });
