import { kernelError } from './errors.ts';
import { Counter, CounterKey, Reflex, RingStats, Stats, Subject, SubjectState } from './layout.ts';
import { native } from './native.ts';
import { type ExeIdentity, exeAt } from './record.ts';
import { kernelText } from './text.ts';

export const READ_ONLY = 1 << 3;

/** A pinned map by file mode. */
export class PinnedMap {
  readonly fd: number;
  readonly maxEntries: number;
  private readonly path: string;

  constructor(path: string, flags: number) {
    this.path = path;
    try {
      this.fd = native().objGet(path, flags);
      this.maxEntries = native().mapInfo(this.fd)[4];
    } catch (error) {
      throw kernelError(path, error);
    }
  }

  protected tried<T>(what: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw kernelError(`${what} ${this.path}`, error);
    }
  }

  /** All elements: keys and values back to back. */
  protected all(keySize: number, valueSize: number) {
    const keys = new Uint8Array(keySize * this.maxEntries);
    const values = new Uint8Array(valueSize * this.maxEntries);
    const count = this.tried('read', () => native().mapLookupBatch(this.fd, keys, values));
    return { keys, values, count };
  }

  close(): void {
    native().closeFd(this.fd);
  }
}

export interface RingCounts {
  readonly attempted: number;
  readonly delivered: number;
  readonly lost: number;
  readonly throttled: number;
}

/** `struct wd_stats`: per ring, attempted equals delivered and lost when no call is open. */
export interface KernelStats {
  readonly rings: readonly RingCounts[];
  readonly acts: number;
  readonly ownActs: number;
  readonly counted: number;
  readonly open: number;
  readonly canaries: number;
  readonly errors: readonly number[];
}

export class StatsMap extends PinnedMap {
  constructor(path: string) {
    super(path, READ_ONLY);
  }

  read(): KernelStats {
    const bytes = new Uint8Array(Stats.size);
    this.tried('read', () => native().mapLookup(this.fd, new Uint8Array(4), bytes));
    const from = new DataView(bytes.buffer);
    const u64 = (at: number) => Number(from.getBigUint64(at, true));
    const o = Stats.offset;
    const ring = (index: number): RingCounts => {
      const at = o.rings + index * RingStats.size;
      const r = RingStats.offset;
      return {
        attempted: u64(at + r.attempted),
        delivered: u64(at + r.delivered),
        lost: u64(at + r.lost),
        throttled: u64(at + r.throttled),
      };
    };
    return {
      rings: [ring(0), ring(1), ring(2), ring(3)],
      acts: u64(o.acts),
      ownActs: u64(o.own_acts),
      counted: u64(o.counted),
      open: u64(o.open),
      canaries: u64(o.canaries),
      errors: Array.from({ length: 12 }, (_, i) => u64(o.errors + i * 8)),
    };
  }
}

export interface KernelCounter {
  /** The key's bytes in hex: the counter's identity. */
  readonly key: string;
  readonly subject: { readonly kind: number; readonly id: number };
  readonly exe: ExeIdentity;
  readonly mapId: number;
  readonly command: number;
  /** 0, or -errno. */
  readonly resultClass: number;
  readonly flags: number;
  readonly calls: number;
  readonly lastBootNs: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly auid: number;
  readonly loader: number;
  readonly comm: string;
}

function counterAt(key: Uint8Array, value: Uint8Array): KernelCounter {
  const k = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const v = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const ko = CounterKey.offset;
  const vo = Counter.offset;
  return {
    key: Buffer.from(key).toString('hex'),
    subject: {
      kind: k.getUint32(ko.subject + Subject.offset.kind, true),
      id: k.getUint32(ko.subject + Subject.offset.id, true),
    },
    exe: exeAt(k, ko.exe),
    mapId: k.getUint32(ko.map_id, true),
    command: k.getUint32(ko.command, true),
    resultClass: k.getInt32(ko.result_class, true),
    flags: k.getUint32(ko.flags, true),
    calls: Number(v.getBigUint64(vo.calls, true)),
    lastBootNs: v.getBigUint64(vo.last_boot_ns, true),
    pid: v.getUint32(vo.pid, true),
    uid: v.getUint32(vo.uid, true),
    auid: v.getUint32(vo.auid, true),
    loader: v.getUint32(vo.loader, true),
    comm: kernelText(value.subarray(vo.comm, vo.comm + 16)),
  };
}

export class CountersMap extends PinnedMap {
  constructor(path: string) {
    super(path, READ_ONLY);
  }

  read(): KernelCounter[] {
    const { keys, values, count } = this.all(CounterKey.size, Counter.size);
    return Array.from({ length: count }, (_, i) =>
      counterAt(
        keys.subarray(i * CounterKey.size, (i + 1) * CounterKey.size),
        values.subarray(i * Counter.size, (i + 1) * Counter.size),
      ),
    );
  }
}

/**
 * What the kernel holds for a subject: its tier by number, the revision that set it, and up to
 * which of its acts (boot time, ns) the tier counts, since when (0: nothing said).
 */
export interface SubjectEntry {
  readonly kind: number;
  readonly id: number;
  readonly tier: number;
  /** An operator's pin: it goes below floors and against pins that raise. */
  readonly pinned: boolean;
  readonly revision: bigint;
  readonly foldedBootNs: bigint;
  readonly ackedBootNs: bigint;
}

/** A subject that the guard itself has lowered. */
export interface ReflexEntry {
  readonly kind: number;
  readonly id: number;
  readonly tier: number;
  readonly rule: number;
  readonly causeBootNs: bigint;
  readonly forNs: bigint;
}

export class ReflexesMap extends PinnedMap {
  constructor(path: string) {
    super(path, READ_ONLY);
  }

  read(): ReflexEntry[] {
    const { keys, values, count } = this.all(Subject.size, Reflex.size);
    const k = new DataView(keys.buffer);
    const v = new DataView(values.buffer);
    const o = Reflex.offset;
    return Array.from({ length: count }, (_, i) => ({
      kind: k.getUint32(i * Subject.size + Subject.offset.kind, true),
      id: k.getUint32(i * Subject.size + Subject.offset.id, true),
      tier: v.getUint32(i * Reflex.size + o.tier, true),
      rule: v.getUint32(i * Reflex.size + o.rule, true),
      causeBootNs: v.getBigUint64(i * Reflex.size + o.cause_boot_ns, true),
      forNs: v.getBigUint64(i * Reflex.size + o.for_ns, true),
    }));
  }
}

export class SubjectsMap extends PinnedMap {
  constructor(path: string) {
    super(path, 0);
  }

  read(): SubjectEntry[] {
    const { keys, values, count } = this.all(Subject.size, SubjectState.size);
    const k = new DataView(keys.buffer);
    const v = new DataView(values.buffer);
    return Array.from({ length: count }, (_, i) => ({
      kind: k.getUint32(i * Subject.size + Subject.offset.kind, true),
      id: k.getUint32(i * Subject.size + Subject.offset.id, true),
      tier: v.getUint32(i * SubjectState.size + SubjectState.offset.tier, true),
      pinned: v.getUint32(i * SubjectState.size + SubjectState.offset.pinned, true) === 1,
      revision: v.getBigUint64(i * SubjectState.size + SubjectState.offset.revision, true),
      foldedBootNs: v.getBigUint64(
        i * SubjectState.size + SubjectState.offset.folded_boot_ns,
        true,
      ),
      ackedBootNs: v.getBigUint64(i * SubjectState.size + SubjectState.offset.acked_boot_ns, true),
    }));
  }

  private static key(kind: number, id: number): Uint8Array {
    const bytes = new Uint8Array(Subject.size);
    const view = new DataView(bytes.buffer);
    view.setUint32(Subject.offset.kind, kind, true);
    view.setUint32(Subject.offset.id, id, true);
    return bytes;
  }

  set({ kind, id, tier, pinned, revision, foldedBootNs, ackedBootNs }: SubjectEntry): void {
    const value = new Uint8Array(SubjectState.size);
    const view = new DataView(value.buffer);
    view.setUint32(SubjectState.offset.tier, tier, true);
    view.setUint32(SubjectState.offset.pinned, pinned ? 1 : 0, true);
    view.setBigUint64(SubjectState.offset.revision, revision, true);
    view.setBigUint64(SubjectState.offset.folded_boot_ns, foldedBootNs, true);
    view.setBigUint64(SubjectState.offset.acked_boot_ns, ackedBootNs, true);
    this.tried('update', () => native().mapUpdate(this.fd, SubjectsMap.key(kind, id), value, 0));
  }

  /** False when it was not there. */
  remove(kind: number, id: number): boolean {
    return this.tried('delete', () => native().mapDelete(this.fd, SubjectsMap.key(kind, id)));
  }
}
