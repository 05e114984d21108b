import { decodeRecord, type KernelAct, type KernelRaised } from '#bpf';
import type { Position, Store } from '#state';
import { RING_NAMES, type RingName } from './losses.ts';
import { RingReader } from './ring-reader.ts';

/** A decoded record, or what is wrong with it. */
export type RingItem =
  | { readonly ring: RingName; readonly position: number; readonly act: KernelAct }
  | { readonly ring: RingName; readonly position: number; readonly raised: KernelRaised }
  | { readonly ring: RingName; readonly position: number; readonly fault: string };

/** A ring is crowded from one in so many of its bytes on. */
const CROWDED = 8;

/** One of the rings that hold acts. */
class ActReader extends RingReader<ReturnType<typeof decodeRecord>> {
  readonly name: RingName;

  constructor(name: RingName, path: string, bootId: string) {
    super(path, bootId, decodeRecord);
    this.name = name;
  }

  items(): RingItem[] {
    return this.read().map((one) => {
      const at = { ring: this.name, position: one.position };
      return 'fault' in one ? { ...at, fault: one.fault } : { ...at, ...one.value };
    });
  }
}

function sentAt(item: RingItem): bigint {
  if ('act' in item) return item.act.bootNs + BigInt(item.act.durationNs);
  return 'raised' in item ? item.raised.bootNs : 0n;
}

/** The three rings as one stream: each in its own order, merged by when records were sent. */
export class Rings {
  private readonly readers: readonly ActReader[];

  constructor(directory: string, bootId: string) {
    this.readers = RING_NAMES.map(
      (name) => new ActReader(name, `${directory}/ring_${name}`, bootId),
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
    const queues = this.readers.map((reader) => reader.items()).filter((queue) => queue.length > 0);
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
    return this.readers.map((reader) => reader.stored());
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

  crowded(): boolean {
    return this.readers.some((reader) => reader.waiting() * CROWDED > reader.ring.size);
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
