import { BpfError, Ring } from '#bpf';
import type { Position, Store } from '#state';

/** A decoded record, or what is wrong with it. */
export type Read<T> =
  | { readonly position: number; readonly value: T }
  | { readonly position: number; readonly fault: string };

/** One ring, read by position: `next` is what has been stored or is about to be. */
export class RingReader<T> {
  readonly ring: Ring;
  readonly source: string;
  private readonly decode: (bytes: Uint8Array) => T;
  private next = 0;
  private released = 0;

  constructor(path: string, bootId: string, decode: (bytes: Uint8Array) => T) {
    this.ring = new Ring(path);
    this.source = `ring/${bootId}/${this.ring.mapId}`;
    this.decode = decode;
  }

  /** Goes on from the stored position. Returns what is wrong with the positions, or null. */
  async resume(store: Store): Promise<string | null> {
    const stored = await store.position(this.source);
    const { consumer, producer } = this.ring.positions();
    this.next = stored === null ? consumer : Number(stored);
    this.released = consumer;
    if (consumer <= this.next && this.next <= producer) return null;
    this.next = Math.min(Math.max(this.next, consumer), producer);
    return `stored ${stored}, consumer ${consumer}, producer ${producer}`;
  }

  /** Somebody else moved the consumer: the kernel may have overwritten what was not stored. */
  tampered(): string | null {
    const { consumer, producer } = this.ring.positions();
    if (consumer === this.released && consumer <= producer) return null;
    const text = `released ${this.released}, consumer ${consumer}, producer ${producer}`;
    this.released = consumer;
    this.next = Math.min(Math.max(this.next, consumer), producer);
    return text;
  }

  /** The next records, as many as one read of the ring returns. */
  read(): Read<T>[] {
    const from = this.next;
    try {
      const { records, next } = this.ring.read(from);
      this.next = next;
      return records.map(({ position, bytes }) => this.item(position, bytes));
    } catch (error) {
      if (!(error instanceof BpfError) || error.code !== 'BAD_RECORD') throw error;
      this.next = this.ring.positions().producer;
      return [{ position: from, fault: `${error.message}: skipped to ${this.next}` }];
    }
  }

  private item(position: number, bytes: Uint8Array): Read<T> {
    try {
      return { position, value: this.decode(bytes) };
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      const start = Buffer.from(bytes.subarray(0, 32)).toString('hex');
      return { position, fault: `${error.message}: ${start}` };
    }
  }

  get position(): number {
    return this.next;
  }

  /** Bytes that have not been read. */
  waiting(): number {
    return this.ring.positions().producer - this.next;
  }

  drained(): boolean {
    return this.next === this.ring.positions().producer;
  }

  /** Where reading would go on after a crash; `held`: from there on it is still needed. */
  stored(held = this.next): Position {
    return { source: this.source, next: BigInt(held) };
  }

  release(held = this.next): void {
    if (this.released === held) return;
    this.ring.release(held);
    this.released = held;
  }
}
