import { BpfError } from './errors.ts';
import {
  Act,
  BpfObject,
  Claim,
  Code,
  ExeKey,
  Facts,
  Kfunc,
  LAYOUT_VERSION,
  NO_ID,
  RecordHead,
  Subject,
} from './layout.ts';
import { hex, kernelText, pathOf } from './text.ts';

/** Flags of `enum wd_act_flag`. */
export const ACT_FLAGS = {
  compat: 1,
  auidCounts: 2,
  auidClaimed: 4,
  noResult: 8,
  attrUnreadable: 16,
  userns: 32,
  capSysAdmin: 64,
  capBpf: 128,
  counterFirst: 256,
  canary: 512,
  counterFull: 1024,
  late: 2048,
  refused: 4096,
  nested: 8192,
  copied: 16384,
  reflex: 32768,
  observed: 65536,
  agent: 131072,
  primed: 262144,
  control: 524288,
  killed: 1048576,
} as const;

/** Flags of `enum wd_fact_flag`. */
export const FACT_FLAGS = {
  helperBeyond: 1,
  kfuncsCut: 2,
  mapsCut: 4,
  captured: 8,
  sleepable: 16,
  resolved: 32,
  signature: 64,
  kfuncUnnamed: 128,
  gpl: 256,
} as const;

/** `enum wd_exe_flag`, by bit. */
export const EXE_PLACES = [
  'memfd',
  'deleted',
  'tmpfs',
  'overlay_upper',
  'path_truncated',
  'none',
  'overlay',
  'changed',
] as const;

export interface KernelClaim {
  readonly type: number;
  readonly attachType: number;
  readonly insnCnt: number;
  readonly id: number;
  readonly flags: number;
  readonly name: string;
}

/** `kind` 1 program, 2 map, 3 link, 4 BTF; `tag` and `digest` are hex. */
export interface KernelObject {
  readonly kind: number;
  readonly id: number;
  readonly type: number;
  readonly attachType: number;
  readonly insnCnt: number;
  readonly targetId: number;
  readonly tag: string;
  readonly name: string;
  readonly digest: string | null;
  readonly gpl: boolean;
}

export interface ExeIdentity {
  readonly inode: bigint;
  readonly device: number;
  readonly generation: number;
}

/** A `struct wd_facts`: what scanning found in a program while it was loaded. */
export interface KernelFacts {
  /** Ids of the helpers that it calls, growing. */
  readonly helpers: readonly number[];
  readonly flags: number;
  readonly insnCnt: number;
  readonly progType: number;
  readonly attachType: number;
  /** Function or hook that it is loaded for; empty without. */
  readonly attach: string;
  readonly maps: readonly number[];
  readonly kfuncs: readonly { readonly name: string; readonly module: boolean }[];
  readonly signature: number;
  readonly keyringType: number;
}

/** A `struct wd_code`: a run of a program's instructions, 8 bytes each. */
export interface KernelCode {
  readonly tid: number;
  readonly loadBootNs: bigint;
  readonly first: number;
  readonly total: number;
  readonly instructions: Uint8Array;
}

/** A `struct wd_act`, decoded; numbers are the kernel's. */
export interface KernelAct {
  readonly bootNs: bigint;
  readonly lost: number;
  readonly subject: { readonly kind: number; readonly id: number };
  readonly result: number;
  readonly cgroupId: bigint;
  readonly durationNs: number;
  readonly exe: ExeIdentity;
  readonly command: number;
  /** `enum wd_via`: 0 for bpf(2). */
  readonly via: number;
  readonly attrSize: number;
  readonly pid: number;
  readonly tid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly euid: number;
  readonly auid: number | null;
  readonly session: number | null;
  readonly userns: number;
  readonly mntns: number;
  readonly flags: number;
  readonly loader: number;
  readonly exeFlags: number;
  readonly exeUid: number;
  readonly label: number;
  /** The policy's number of the runtime that started the process; 0 when none did. */
  readonly runtime: number;
  readonly decision: number;
  readonly rule: number;
  readonly tier: number;
  readonly tierFrom: number;
  /** SHA-256 of the executable at exec, hex; of listed loaders only. */
  readonly exeDigest: string | null;
  readonly path: string;
  readonly cgroup: string;
  readonly comm: string;
  /** The path or tracepoint that the call named, read from user memory: a claim. */
  readonly named: string | null;
  readonly claim: KernelClaim | null;
  readonly object: KernelObject | null;
  readonly facts: KernelFacts | null;
}

const ACT_KIND = 1;
const CODE_KIND = 2;
const INSTRUCTION = 8;
const a = Act.offset;

export const view = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const orNull = (id: number): number | null => (id === NO_ID ? null : id);

function claimAt(bytes: Uint8Array, at: number): KernelClaim | null {
  const from = view(bytes);
  const u32 = (field: number) => from.getUint32(at + field, true);
  const c = Claim.offset;
  if (u32(c.valid) !== 1) return null;
  return {
    type: u32(c.type),
    attachType: u32(c.attach_type),
    insnCnt: u32(c.insn_cnt),
    id: u32(c.id),
    flags: u32(c.flags),
    name: kernelText(bytes.subarray(at + c.name, at + c.name + 16)),
  };
}

function objectAt(bytes: Uint8Array, at: number): KernelObject | null {
  const from = view(bytes);
  const u32 = (field: number) => from.getUint32(at + field, true);
  const o = BpfObject.offset;
  if (u32(o.kind) === 0) return null;
  return {
    kind: u32(o.kind),
    id: u32(o.id),
    type: u32(o.type),
    attachType: u32(o.attach_type),
    insnCnt: u32(o.insn_cnt),
    targetId: u32(o.target_id),
    tag: hex(bytes.subarray(at + o.tag, at + o.tag + 8)),
    name: kernelText(bytes.subarray(at + o.name, at + o.name + 16)),
    digest: u32(o.has_digest) === 1 ? hex(bytes.subarray(at + o.digest, at + o.digest + 32)) : null,
    gpl: u32(o.gpl) === 1,
  };
}

/** The ids of the bits that are set in `count` words of 64. */
function bitsAt(from: DataView, at: number, count: number): number[] {
  const ids: number[] = [];
  for (let word = 0; word < count; word++) {
    const bits = from.getBigUint64(at + word * 8, true);
    if (bits === 0n) continue;
    for (let bit = 0; bit < 64; bit++) if ((bits >> BigInt(bit)) & 1n) ids.push(word * 64 + bit);
  }
  return ids;
}

const FACTS_MAX = 32;

function factsAt(bytes: Uint8Array, at: number): KernelFacts {
  const from = view(bytes);
  const f = Facts.offset;
  const u32 = (field: number) => from.getUint32(at + field, true);
  const list = <T>(count: number, item: (index: number) => T): T[] =>
    Array.from({ length: Math.min(count, FACTS_MAX) }, (_, index) => item(index));
  return {
    helpers: bitsAt(from, at + f.helpers, 4),
    flags: u32(f.flags),
    insnCnt: u32(f.insn_cnt),
    progType: u32(f.prog_type),
    attachType: u32(f.attach_type),
    attach: kernelText(bytes.subarray(at + f.attach, at + f.attach + 64)),
    maps: list(u32(f.map_count), (index) => u32(f.maps + index * 4)),
    kfuncs: list(u32(f.kfunc_count), (index) => {
      const kfunc = f.kfuncs + index * Kfunc.size;
      const name = at + kfunc + Kfunc.offset.name;
      return {
        name: kernelText(bytes.subarray(name, name + 56)),
        module: u32(kfunc + Kfunc.offset.module) === 1,
      };
    }),
    signature: u32(f.signature),
    keyringType: u32(f.keyring_type),
  };
}

export function checkHead(
  bytes: Uint8Array,
  from: DataView,
  wanted: { kind: number; size: number },
) {
  if (bytes.length < wanted.size) throw new BpfError('BAD_RECORD', `${bytes.length} bytes`);
  const size = from.getUint32(RecordHead.offset.size, true);
  const kind = from.getUint16(RecordHead.offset.kind, true);
  const layout = from.getUint16(RecordHead.offset.layout, true);
  if (kind !== wanted.kind || layout !== LAYOUT_VERSION) {
    throw new BpfError('BAD_RECORD', `kind ${kind}, layout ${layout}`);
  }
  if (size > bytes.length) throw new BpfError('BAD_RECORD', `size ${size} of ${bytes.length}`);
  return size;
}

function checkAct(bytes: Uint8Array, from: DataView) {
  const size = checkHead(bytes, from, { kind: ACT_KIND, size: Act.size });
  const pathLen = from.getUint16(a.path_len, true);
  const cgroupLen = from.getUint16(a.cgroup_len, true);
  const factsLen = from.getUint16(a.facts_len, true);
  const tail = pathLen + cgroupLen + factsLen;
  if (Act.size + tail > size || (factsLen !== 0 && factsLen !== Facts.size)) {
    const found = `size ${size}, tail ${pathLen} + ${cgroupLen} + ${factsLen}`;
    throw new BpfError('BAD_RECORD', found);
  }
  return { size, pathLen, cgroupLen, factsLen };
}

/** Decodes one record of the code ring. Throws `BpfError` BAD_RECORD. */
export function decodeCode(bytes: Uint8Array): KernelCode {
  const from = view(bytes);
  const size = checkHead(bytes, from, { kind: CODE_KIND, size: Code.size });
  const u32 = (field: number) => from.getUint32(field, true);
  const { tid, first, count, total, load_boot_ns } = Code.offset;
  const end = Code.size + u32(count) * INSTRUCTION;
  if (end !== size || u32(first) + u32(count) > u32(total)) {
    throw new BpfError('BAD_RECORD', `size ${size}, ${u32(count)} instructions`);
  }
  return {
    tid: u32(tid),
    loadBootNs: from.getBigUint64(load_boot_ns, true),
    first: u32(first),
    total: u32(total),
    instructions: bytes.subarray(Code.size, end),
  };
}

/** Decodes one act. Throws `BpfError` BAD_RECORD. */
export function decodeAct(bytes: Uint8Array): KernelAct {
  const from = view(bytes);
  const { size, pathLen, cgroupLen, factsLen } = checkAct(bytes, from);
  const u32 = (field: number) => from.getUint32(field, true);
  const u16 = (field: number) => from.getUint16(field, true);
  const tail = Act.size;
  const facts = tail + pathLen + cgroupLen;
  const digest = bytes.subarray(a.exe_digest, a.exe_digest + 32);
  return {
    bootNs: from.getBigUint64(RecordHead.offset.boot_ns, true),
    lost: Number(from.getBigUint64(RecordHead.offset.lost, true)),
    subject: { kind: u32(a.subject + Subject.offset.kind), id: u32(a.subject + Subject.offset.id) },
    result: Number(from.getBigInt64(a.result, true)),
    cgroupId: from.getBigUint64(a.cgroup_id, true),
    durationNs: Number(from.getBigUint64(a.duration_ns, true)),
    exe: exeAt(from, a.exe),
    command: u32(a.command),
    via: u16(a.via),
    attrSize: u32(a.attr_size),
    pid: u32(a.pid),
    tid: u32(a.tid),
    ppid: u32(a.ppid),
    uid: u32(a.uid),
    euid: u32(a.euid),
    auid: orNull(u32(a.auid)),
    session: orNull(u32(a.session)),
    userns: u32(a.userns),
    mntns: u32(a.mntns),
    flags: u32(a.flags),
    loader: u32(a.loader),
    exeFlags: u32(a.exe_flags),
    exeUid: u32(a.exe_uid),
    label: u16(a.label),
    runtime: u32(a.runtime),
    decision: u16(a.decision),
    rule: u16(a.rule),
    tier: u16(a.tier),
    tierFrom: u16(a.tier_from),
    exeDigest: u16(a.has_exe_digest) === 1 ? hex(digest) : null,
    path: pathOf(bytes.subarray(tail, tail + pathLen)),
    cgroup: pathOf(bytes.subarray(tail + pathLen, tail + pathLen + cgroupLen)) || '/',
    comm: kernelText(bytes.subarray(a.comm, a.comm + 16)),
    named: kernelText(bytes.subarray(facts + factsLen, size)) || null,
    claim: claimAt(bytes, a.claim),
    object: objectAt(bytes, a.object),
    facts: factsLen === 0 ? null : factsAt(bytes, facts),
  };
}

export function exeAt(from: DataView, at: number): ExeIdentity {
  return {
    inode: from.getBigUint64(at + ExeKey.offset.inode, true),
    device: from.getUint32(at + ExeKey.offset.device, true),
    generation: from.getUint32(at + ExeKey.offset.generation, true),
  };
}
