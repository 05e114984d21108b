import { readFileSync } from 'node:fs';
import { BpfError, kernelError } from './errors.ts';
import { Inventory, NO_ID } from './layout.ts';
import { hex, kernelText } from './text.ts';

/** A live program, map or link as an iterator saw it; numbers are the kernel's. */
export interface LiveObject {
  readonly kind: number;
  readonly id: number;
  readonly type: number;
  readonly attachType: number;
  readonly targetId: number;
  readonly insnCnt: number;
  readonly loadBootNs: bigint;
  readonly tag: string;
  readonly uid: number | null;
  readonly maxEntries: number;
  readonly name: string;
  readonly digest: string | null;
  readonly ours: boolean;
}

const o = Inventory.offset;

function objectAt(bytes: Uint8Array): LiveObject {
  const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number) => from.getUint32(at, true);
  const uid = u32(o.uid);
  return {
    kind: u32(o.kind),
    id: u32(o.id),
    type: u32(o.type),
    attachType: u32(o.attach_type),
    targetId: u32(o.target_id),
    insnCnt: u32(o.insn_cnt),
    loadBootNs: from.getBigUint64(o.load_boot_ns, true),
    tag: hex(bytes.subarray(o.tag, o.tag + 8)),
    uid: uid === NO_ID ? null : uid,
    maxEntries: u32(o.max_entries),
    name: kernelText(bytes.subarray(o.name, o.name + 16)),
    digest: u32(o.has_digest) === 1 ? hex(bytes.subarray(o.digest, o.digest + 32)) : null,
    ours: u32(o.ours) === 1,
  };
}

/** Decodes an iterator's output. Throws `BpfError` BAD_RECORD. */
export function decodeInventory(bytes: Uint8Array): LiveObject[] {
  if (bytes.length % Inventory.size !== 0) {
    throw new BpfError('BAD_RECORD', `inventory of ${bytes.length} bytes`);
  }
  return Array.from({ length: bytes.length / Inventory.size }, (_, i) =>
    objectAt(bytes.subarray(i * Inventory.size, (i + 1) * Inventory.size)),
  );
}

/** Reads a pinned iterator. Throws `BpfError`. */
export function readIterator(path: string): LiveObject[] {
  try {
    return decodeInventory(readFileSync(path));
  } catch (error) {
    throw error instanceof BpfError ? error : kernelError(path, error);
  }
}
