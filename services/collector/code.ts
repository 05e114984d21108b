import { createHash, type Hash } from 'node:crypto';
import { decodeCode, type KernelAct, type KernelCode } from '#bpf';
import type { Position, Store } from '#state';
import { type Read, RingReader } from './ring-reader.ts';

const INSTRUCTION = 8;
const LD_IMM64 = 0x18;
/** src_reg of instructions that hold a map's fd: another one at each load. */
const MAP_FD = 1;
const MAP_VALUE = 2;
/** Programs being loaded at once whose instructions are remembered. */
const LOADS_MAX = 256;
/** A load whose act has not come by then lost it. */
const WAIT_MS = 60_000;

interface Load {
  readonly hash: Hash;
  readonly start: number;
  readonly sinceMs: number;
  readonly total: number;
  next: number;
  inMap: boolean;
}

const keyOf = (tid: number, bootNs: bigint): string => `${tid}/${bootNs}`;

/**
 * SHA-256 of programs as they were loaded: over their instructions with the fds of maps as zero,
 * which is how the kernel computes its own digest where it has one (6.18 and later).
 */
export class Code {
  private readonly reader: RingReader<KernelCode>;
  private readonly loads = new Map<string, Load>();

  constructor(path: string, bootId: string) {
    this.reader = new RingReader(path, bootId, decodeCode);
  }

  resume(store: Store): Promise<string | null> {
    return this.reader.resume(store);
  }

  tampered(): string | null {
    return this.reader.tampered();
  }

  /**
   * Reads what is there. To be called after acts have been read: then the instructions of each of
   * them are. Returns what was wrong with records.
   */
  read(nowMs: number): string[] {
    const faults: string[] = [];
    const until = this.reader.ring.positions().producer;
    while (this.reader.position < until) {
      const before = this.reader.position;
      for (const one of this.reader.read()) this.take(one, nowMs, faults);
      if (this.reader.position === before) break;
    }
    for (const [key, { sinceMs }] of this.loads) {
      if (nowMs - sinceMs > WAIT_MS || this.loads.size > LOADS_MAX) this.loads.delete(key);
    }
    return faults;
  }

  private take(one: Read<KernelCode>, nowMs: number, faults: string[]): void {
    if ('fault' in one) {
      faults.push(`record at ${one.position}: ${one.fault}`);
      return;
    }
    const { tid, loadBootNs, first, total, instructions } = one.value;
    const key = keyOf(tid, loadBootNs);
    if (first === 0) {
      const hash = createHash('sha256');
      const load = { hash, start: one.position, sinceMs: nowMs, total, next: 0, inMap: false };
      this.loads.set(key, load);
    }
    const load = this.loads.get(key);
    // A hole in its instructions: it has no digest.
    if (load === undefined || load.next !== first || load.total !== total) this.loads.delete(key);
    else hashRun(load, instructions);
  }

  /** The digest of the program that this act loaded, hex; null when not all of it was seen. */
  digestOf(act: KernelAct): string | null {
    const key = keyOf(act.tid, act.bootNs);
    const load = this.loads.get(key);
    this.loads.delete(key);
    return load === undefined || load.next !== load.total ? null : load.hash.digest('hex');
  }

  /** From where reading must go on: the beginning of the first load that is still open. */
  private held(): number {
    const starts = [...this.loads.values()].map(({ start }) => start);
    return Math.min(this.reader.position, ...starts);
  }

  position(): Position {
    return this.reader.stored(this.held());
  }

  release(): void {
    this.reader.release(this.held());
  }

  close(): void {
    this.reader.ring.close();
  }
}

/** Adds a run of instructions, with the numbers of maps zeroed in the ring's copy. */
function hashRun(load: Load, instructions: Uint8Array): void {
  const copy = Buffer.from(instructions);
  for (let at = 0; at < copy.length; at += INSTRUCTION) {
    const source = (copy[at + 1] as number) >> 4;
    if (!load.inMap && copy[at] === LD_IMM64 && (source === MAP_FD || source === MAP_VALUE)) {
      load.inMap = true;
      copy.writeInt32LE(0, at + 4);
    } else {
      // The second half of such an instruction is otherwise empty.
      if (load.inMap && copy.readInt32LE(at) === 0) copy.writeInt32LE(0, at + 4);
      load.inMap = false;
    }
  }
  load.hash.update(copy);
  load.next += copy.length / INSTRUCTION;
}
