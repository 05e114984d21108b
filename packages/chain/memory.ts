const CHUNK = 4096;
/** Bytes kept of each hash: half of SHA-256 is still beyond any search for a second event. */
const KEPT = 16;

export type Comparison = 'same' | 'other' | 'unknown';

/**
 * Remembers chain hashes by chain and sequence, so that a repeated id can be compared however far
 * back it lies: 16 bytes an event. Beyond `maxBytes` the oldest are forgotten.
 */
export class HashMemory {
  private readonly chunks = new Map<string, Buffer>();
  private readonly maxChunks: number;

  constructor(maxBytes: number) {
    this.maxChunks = Math.max(1, Math.floor(maxBytes / (CHUNK * KEPT)));
  }

  remember(chain: string, sequence: number, hash: Uint8Array): void {
    const id = `${chain}/${Math.floor(sequence / CHUNK)}`;
    let chunk = this.chunks.get(id);
    if (chunk === undefined) {
      chunk = Buffer.alloc(CHUNK * KEPT);
      this.chunks.set(id, chunk);
      this.forget();
    }
    chunk.set(hash.subarray(0, KEPT), (sequence % CHUNK) * KEPT);
  }

  compare(chain: string, sequence: number, hash: Uint8Array): Comparison {
    const chunk = this.chunks.get(`${chain}/${Math.floor(sequence / CHUNK)}`);
    if (chunk === undefined) return 'unknown';
    const at = (sequence % CHUNK) * KEPT;
    const known = chunk.subarray(at, at + KEPT);
    if (known.every((byte) => byte === 0)) return 'unknown';
    return known.equals(hash.subarray(0, KEPT)) ? 'same' : 'other';
  }

  private forget(): void {
    if (this.chunks.size <= this.maxChunks) return;
    for (const oldest of this.chunks.keys()) {
      this.chunks.delete(oldest);
      return;
    }
  }
}
