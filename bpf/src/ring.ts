import { BpfError, kernelError } from './errors.ts';
import { native, type RingHandle } from './native.ts';

/** One record of a ring: its position, and its bytes in a buffer that the next `read` reuses. */
export interface RingRecord {
  readonly position: number;
  readonly bytes: Uint8Array;
}

const READ_HEADER = 16;

/**
 * A pinned ring buffer. A position names a record for ever: `read` never moves the consumer,
 * `release` does, after the records are stored.
 */
export class Ring {
  readonly mapId: number;
  readonly size: number;
  readonly fd: number;
  private readonly handle: RingHandle;
  private readonly buffer: Uint8Array;

  /** Throws `BpfError`. `buffer` bytes bound what one `read` returns. */
  constructor(path: string, bufferBytes = 512 * 1024) {
    try {
      this.fd = native().objGet(path, 0);
      const [, id, , , size] = native().mapInfo(this.fd);
      this.mapId = id;
      this.size = size;
      this.handle = native().ringOpen(this.fd, size);
    } catch (error) {
      throw kernelError(path, error);
    }
    this.buffer = new Uint8Array(bufferBytes);
  }

  /** Where the kernel's consumer and producer stand. */
  positions(): { consumer: number; producer: number } {
    const [consumer, producer] = native().ringPositions(this.handle);
    return { consumer, producer };
  }

  /** Finished records from `position` on, and the position after them. */
  read(position: number): { records: RingRecord[]; next: number } {
    const [bytes, next] = this.readInto(position);
    const view = new DataView(this.buffer.buffer);
    const records: RingRecord[] = [];
    for (let at = 0; at < bytes; ) {
      const length = view.getUint32(at + 8, true);
      const start = at + READ_HEADER;
      records.push({
        position: Number(view.getBigUint64(at, true)),
        bytes: this.buffer.subarray(start, start + length),
      });
      at = start + Math.ceil(length / 8) * 8;
    }
    return { records, next };
  }

  private readInto(position: number): [number, number] {
    try {
      return native().ringRead(this.handle, position, this.buffer);
    } catch (error) {
      throw kernelError(`ring ${this.mapId} at ${position}`, error);
    }
  }

  /** Lets the kernel overwrite what lies before `position`. */
  release(position: number): void {
    const { consumer, producer } = this.positions();
    if (position < consumer || position > producer) {
      const found = `consumer ${consumer}, producer ${producer}`;
      throw new BpfError('RING_TAMPER', `release ${position} of ring ${this.mapId}: ${found}`);
    }
    native().ringRelease(this.handle, position);
  }

  close(): void {
    native().ringClose(this.handle);
    native().closeFd(this.fd);
  }
}
