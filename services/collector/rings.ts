import { BpfError, decodeAct, type KernelAct, Ring } from '#bpf';
import type { Position, Store } from '#state';
import { RING_NAMES, type RingName } from './losses.ts';

/** A decoded record, or what is wrong with it. */
export type RingItem =
  | { readonly ring: RingName; readonly position: number; readonly act: KernelAct }
  | { readonly ring: RingName; readonly position: number; readonly fault: string };

/** One ring, read by position: `next` is what has been stored or is about to be. */
class RingReader {
  readonly name: RingName;
  readonly ring: Ring;
  readonly source: string;
  private next = 0;
  private released = 0;

  constructor(name: RingName, path: string, bootId: string) {
    this.name = name;
    this.ring = new Ring(path);
    this.source = `ring/${bootId}/${this.ring.mapId}`;
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

  read(): RingItem[] {
    const from = this.next;
    try {
      const { records, next } = this.ring.read(from);
      this.next = next;
      return records.map(({ position, bytes }) => this.item(position, bytes));
    } catch (error) {
      if (!(error instanceof BpfError) || error.code !== 'BAD_RECORD') throw error;
      this.next = this.ring.positions().producer;
      const fault = `${error.message}: skipped to ${this.next}`;
      return [{ ring: this.name, position: from, fault }];
    }
  }

  private item(position: number, bytes: Uint8Array): RingItem {
    try {
      return { ring: this.name, position, act: decodeAct(bytes) };
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      const start = Buffer.from(bytes.subarray(0, 32)).toString('hex');
      return { ring: this.name, position, fault: `${error.message}: ${start}` };
    }
  }

  get position(): number {
    return this.next;
  }

  drained(): boolean {
    return this.next === this.ring.positions().producer;
  }

  release(): void {
    if (this.released === this.next) return;
    this.ring.release(this.next);
    this.released = this.next;
  }
}

const sentAt = (item: RingItem): bigint =>
  'act' in item ? item.act.bootNs + BigInt(item.act.durationNs) : 0n;

/** The three rings as one stream: each in its own order, merged by when records were sent. */
export class Rings {
  private readonly readers: readonly RingReader[];

  constructor(directory: string, bootId: string) {
    this.readers = RING_NAMES.map(
      (name) => new RingReader(name, `${directory}/ring_${name}`, bootId),
    );
  }

  /** Names of the rings whose positions can't be right, with what was found. */
  async resume(store: Store): Promise<{ ring: RingName; found: string }[]> {
    const faults: { ring: RingName; found: string }[] = [];
    for (const reader of this.readers) {
      const found = await reader.resume(store);
      if (found !== null) faults.push({ ring: reader.name, found });
    }
    return faults;
  }

  tampered(): { ring: RingName; found: string }[] {
    return this.readers.flatMap((reader) => {
      const found = reader.tampered();
      return found === null ? [] : [{ ring: reader.name, found }];
    });
  }

  read(): RingItem[] {
    const queues = this.readers.map((reader) => reader.read()).filter((queue) => queue.length > 0);
    if (queues.length <= 1) return queues[0] ?? [];
    const at = queues.map(() => 0);
    const merged: RingItem[] = [];
    for (;;) {
      let best = -1;
      for (let q = 0; q < queues.length; q++) {
        const item = queues[q]?.[at[q] as number];
        if (item === undefined) continue;
        const leader = best < 0 ? undefined : queues[best]?.[at[best] as number];
        if (leader === undefined || sentAt(item) < sentAt(leader)) best = q;
      }
      if (best < 0) return merged;
      merged.push(queues[best]?.[at[best] as number] as RingItem);
      at[best] = (at[best] as number) + 1;
    }
  }

  positions(): Position[] {
    return this.readers.map((reader) => ({ source: reader.source, next: BigInt(reader.position) }));
  }

  /** Where the producers stand now: what a pass has to read up to. */
  producers(): number[] {
    return this.readers.map((reader) => reader.ring.positions().producer);
  }

  /** Whether everything before `targets` has been read. */
  reached(targets: readonly number[]): boolean {
    return this.readers.every((reader, i) => reader.position >= (targets[i] ?? 0));
  }

  positionOf(ring: RingName): number {
    return this.readers[RING_NAMES.indexOf(ring)]?.position ?? 0;
  }

  drained(): boolean {
    return this.readers.every((reader) => reader.drained());
  }

  release(): void {
    for (const reader of this.readers) reader.release();
  }

  get fds(): number[] {
    return this.readers.map((reader) => reader.ring.fd);
  }

  /** Identity of these rings, for what is counted per ring. */
  get life(): string {
    return this.readers.map((reader) => reader.source.replace(/^ring\//, '')).join(',');
  }

  close(): void {
    for (const reader of this.readers) reader.ring.close();
  }
}
