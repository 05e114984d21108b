/**
 * `bpf/include/warden.h` as TypeScript sees it. Offsets follow from the C rules for the declared
 * widths; `test/kernel/layout.test.ts` compares each with the compiler's own (BTF).
 */
type Scalar = 'u8' | 'u16' | 'u32' | 'u64' | 's32' | 's64';
type Field = Scalar | Struct | readonly [Scalar | Struct, number];

export interface Struct {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly offset: Readonly<Record<string, number>>;
}

const WIDTHS: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4, u64: 8, s32: 4, s64: 8 };

function measure(field: Field): { size: number; align: number } {
  if (typeof field === 'string') return { size: WIDTHS[field], align: WIDTHS[field] };
  if ('size' in field) return { size: field.size, align: field.align };
  const [item, count] = field;
  const one = measure(item);
  return { size: one.size * count, align: one.align };
}

function struct<F extends Readonly<Record<string, Field>>>(
  name: string,
  fields: F,
): Struct & { readonly offset: Readonly<Record<keyof F, number>> } {
  const offset = {} as Record<keyof F, number>;
  let at = 0;
  let widest = 1;
  for (const key of Object.keys(fields) as (keyof F & string)[]) {
    const { size, align } = measure(fields[key] as Field);
    at = Math.ceil(at / align) * align;
    offset[key] = at;
    at += size;
    widest = Math.max(widest, align);
  }
  return { name, size: Math.ceil(at / widest) * widest, align: widest, offset };
}

export const LAYOUT_VERSION = 6;
export const NO_ID = 0xffffffff;

export const Subject = struct('wd_subject', { kind: 'u32', id: 'u32' });
export const SubjectState = struct('wd_subject_state', {
  tier: 'u32',
  pinned: 'u32',
  revision: 'u64',
  folded_boot_ns: 'u64',
  acked_boot_ns: 'u64',
});
export const Reflex = struct('wd_reflex', {
  tier: 'u32',
  rule: 'u32',
  cause_boot_ns: 'u64',
  for_ns: 'u64',
});
export const ExeKey = struct('wd_exe_key', { inode: 'u64', device: 'u32', generation: 'u32' });
export const RecordHead = struct('wd_record', {
  size: 'u32',
  kind: 'u16',
  layout: 'u16',
  boot_ns: 'u64',
  lost: 'u64',
});
export const Raised = struct('wd_raised', {
  head: RecordHead,
  subject: Subject,
  kind: 'u32',
  action: 'u32',
  tier: 'u32',
  pad: 'u32',
  commands: 'u64',
  until_boot_ns: 'u64',
  issued_ms: 'u64',
  id: ['u8', 32],
  author: ['u8', 64],
  reason: ['u8', 128],
});
export const Claim = struct('wd_claim', {
  valid: 'u32',
  type: 'u32',
  attach_type: 'u32',
  insn_cnt: 'u32',
  id: 'u32',
  flags: 'u32',
  name: ['u8', 16],
});
export const BpfObject = struct('wd_object', {
  kind: 'u32',
  id: 'u32',
  type: 'u32',
  attach_type: 'u32',
  insn_cnt: 'u32',
  target_id: 'u32',
  tag: 'u64',
  name: ['u8', 16],
  digest: ['u8', 32],
  gpl: 'u32',
  has_digest: 'u32',
});
export const Kfunc = struct('wd_kfunc', { btf_id: 'u32', module: 'u32', name: ['u8', 56] });
export const Facts = struct('wd_facts', {
  helpers: ['u64', 4],
  flags: 'u32',
  insn_cnt: 'u32',
  prog_type: 'u32',
  attach_type: 'u32',
  attach_btf_id: 'u32',
  map_count: 'u32',
  kfunc_count: 'u32',
  signature: 'u32',
  keyring_type: 'u32',
  keyring_serial: 's32',
  attach: ['u8', 64],
  maps: ['u32', 32],
  kfuncs: [Kfunc, 32],
});
export const Code = struct('wd_code', {
  head: RecordHead,
  load_boot_ns: 'u64',
  tid: 'u32',
  first: 'u32',
  count: 'u32',
  total: 'u32',
});
export const Act = struct('wd_act', {
  head: RecordHead,
  subject: Subject,
  result: 's64',
  cgroup_id: 'u64',
  duration_ns: 'u64',
  exe: ExeKey,
  command: 'u32',
  attr_size: 'u32',
  pid: 'u32',
  tid: 'u32',
  ppid: 'u32',
  uid: 'u32',
  euid: 'u32',
  auid: 'u32',
  session: 'u32',
  userns: 'u32',
  mntns: 'u32',
  flags: 'u32',
  loader: 'u32',
  exe_flags: 'u32',
  exe_uid: 'u32',
  runtime: 'u32',
  pad: 'u32',
  label: 'u16',
  decision: 'u16',
  rule: 'u16',
  tier: 'u16',
  path_len: 'u16',
  cgroup_len: 'u16',
  facts_len: 'u16',
  tier_from: 'u16',
  has_exe_digest: 'u16',
  via: 'u16',
  comm: ['u8', 16],
  exe_digest: ['u8', 32],
  claim: Claim,
  object: BpfObject,
});
export const CounterKey = struct('wd_counter_key', {
  subject: Subject,
  exe: ExeKey,
  map_id: 'u32',
  command: 'u32',
  result_class: 's32',
  flags: 'u32',
});
export const Counter = struct('wd_counter', {
  calls: 'u64',
  last_boot_ns: 'u64',
  pid: 'u32',
  uid: 'u32',
  auid: 'u32',
  loader: 'u32',
  comm: ['u8', 16],
});
export const RingStats = struct('wd_ring_stats', {
  attempted: 'u64',
  delivered: 'u64',
  lost: 'u64',
  throttled: 'u64',
});
export const Stats = struct('wd_stats', {
  rings: [RingStats, 4],
  acts: 'u64',
  own_acts: 'u64',
  counted: 'u64',
  open: 'u64',
  canaries: 'u64',
  errors: ['u64', 12],
  classic: ['u64', 4],
});
export const Inventory = struct('wd_inventory', {
  kind: 'u32',
  id: 'u32',
  type: 'u32',
  attach_type: 'u32',
  target_id: 'u32',
  insn_cnt: 'u32',
  load_boot_ns: 'u64',
  tag: 'u64',
  uid: 'u32',
  max_entries: 'u32',
  key_size: 'u32',
  value_size: 'u32',
  name: ['u8', 16],
  digest: ['u8', 32],
  has_digest: 'u32',
  ours: 'u32',
});

export const Host = struct('wd_host', { ceiling: 'u32', pad: 'u32', revision: 'u64' });
export const Grant = struct('wd_grant', {
  commands: 'u64',
  prog_types: 'u64',
  map_types: 'u64',
  attach_types: ['u64', 2],
  helpers: ['u64', 4],
  kfuncs: ['u64', 4],
  enforce: 'u32',
  foreign: 'u32',
  keyrings: 'u32',
  keyring_serial: 's32',
});
export const DecideCase = struct('wd_decide_case', {
  judged: 'u32',
  command: 'u32',
  prog_type: 'u32',
  map_type: 'u32',
  attach_type: 'u32',
  foreign: 'u32',
  helpers: ['u64', 4],
  kfuncs: ['u64', 4],
  beyond: 'u32',
  rule: 'u32',
  decision: 'u32',
  signer: 'u32',
  serial: 's32',
  pad: 'u32',
  tier: Grant,
  loader: Grant,
});

export const Raise = struct('wd_raise', {
  base: 'u32',
  pin: 'u32',
  over_ceiling: 'u32',
  pad: 'u32',
  pin_until: 'u64',
  glass_until: 'u64',
  glass_commands: 'u64',
  observe_until: 'u64',
  pin_id: ['u8', 32],
  glass_id: ['u8', 32],
  observe_id: ['u8', 32],
});
export const TierCase = struct('wd_tier_case', {
  subject: Subject,
  floor: 'u32',
  command: 'u32',
  carried_count: 'u32',
  loader_kind: 'u32',
  tier: 'u32',
  from: 'u32',
  observed: 'u32',
  carried: [Subject, 4],
});

/** Every struct that crosses the line, for the test that compares them with BTF. */
export const STRUCTS: readonly Struct[] = [
  Subject,
  SubjectState,
  Reflex,
  Host,
  ExeKey,
  RecordHead,
  Raised,
  Claim,
  BpfObject,
  Kfunc,
  Facts,
  Code,
  Act,
  CounterKey,
  Counter,
  RingStats,
  Stats,
  Inventory,
  Grant,
  DecideCase,
  Raise,
  TierCase,
];
