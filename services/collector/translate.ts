import {
  ACT_FLAGS,
  EXE_PLACES,
  FACT_FLAGS,
  type KernelAct,
  type KernelFacts,
  type KernelObject,
} from '#bpf';
import {
  type BpfLink,
  type BpfMap,
  commandName,
  details,
  type Event,
  errnoName,
  HELPERS,
  type HostName,
  LINK_TYPES,
  type Loader,
  MAP_TYPES,
  type Mode,
  type ObjectKind,
  OWN_COMMANDS,
  PROGRAM_TYPES,
  type PrincipalKey,
  type Process,
  type Program,
  type Subject,
  typeName,
  type Verdict,
} from '#event';
import { loaderOfNumber, type Policy, principalOf, ruleName } from '#policy';

/** What translation needs besides the record itself. */
export interface Context {
  readonly host: HostName;
  readonly mode: Mode;
  readonly policy: Policy;
  /** CLOCK_REALTIME minus CLOCK_BOOTTIME, ns. */
  readonly bootOffsetNs: bigint;
  /** The principal that made an object, when the log knows. */
  readonly ownerOf: (kind: ObjectKind, id: number) => PrincipalKey | null;
}

export const OBJECT_KINDS: Readonly<Record<number, ObjectKind>> = {
  1: 'prog',
  2: 'map',
  3: 'link',
};

const SUBJECT_KINDS = { 1: 'auid', 2: 'loader', 3: 'uid' } as const;
const DECISIONS = ['allow', 'deny', 'would_deny'] as const;
const TIERS = ['denied', 'quarantined', 'restricted', 'standard', 'trusted'] as const;
const TIER_FROM = [
  'subject',
  'ceiling',
  'reflex',
  'carried',
  'pin',
  'break_glass',
  'floor',
  'host',
] as const;
const LABELS = ['call', 'exec', 'baseline'] as const;
/** Commands whose claim describes a program or a map, though no object came of them. */
const CLAIMS: Readonly<Record<string, ObjectKind>> = {
  PROG_LOAD: 'prog',
  PROG_GET_FD_BY_ID: 'prog',
  MAP_CREATE: 'map',
  MAP_GET_FD_BY_ID: 'map',
  LINK_GET_FD_BY_ID: 'link',
};

export function subjectOf({ kind, id }: { kind: number; id: number }): Subject {
  const name = SUBJECT_KINDS[kind as 1 | 2 | 3];
  return { kind: name ?? 'uid', id };
}

export function placesOf(exeFlags: number): string[] {
  return EXE_PLACES.filter((place, bit) => place !== 'path_truncated' && exeFlags & (1 << bit));
}

function loaderOf(act: KernelAct, policy: Policy): Loader | null {
  if (act.path === '' && act.exe.inode === 0n) return null;
  return {
    name: loaderOfNumber(act.loader, policy.loaders),
    path: act.path,
    pathTruncated: (act.exeFlags & (1 << EXE_PLACES.indexOf('path_truncated'))) !== 0,
    // Taken at exec, by the guard and of listed loaders only: a path read later may name another.
    sha256: act.exeDigest,
    device: act.exe.device,
    inode: act.exe.inode.toString(),
    ownerUid: act.exeUid,
    places: placesOf(act.exeFlags),
  };
}

function processOf(act: KernelAct): Process {
  const has = (flag: number) => (act.flags & flag) !== 0;
  const claimed = has(ACT_FLAGS.auidClaimed) ? 'claimed' : 'unset';
  const capabilities: string[] = [];
  if (has(ACT_FLAGS.capBpf)) capabilities.push('CAP_BPF');
  if (has(ACT_FLAGS.capSysAdmin)) capabilities.push('CAP_SYS_ADMIN');
  return {
    pid: act.pid,
    tid: act.tid,
    ppid: act.ppid,
    uid: act.uid,
    euid: act.euid,
    auid: act.auid,
    auidStatus: has(ACT_FLAGS.auidCounts) ? 'counts' : claimed,
    session: act.session,
    comm: act.comm,
    cgroup: act.cgroup,
    exeLabel: LABELS[act.label] ?? 'call',
    userns: act.userns,
    initUserns: !has(ACT_FLAGS.userns),
    capabilities,
  };
}

/** `enum bpf_sig_verdict`, where a kernel checks signatures, and which keyring vouched for it. */
const SIGNATURES = ['none', 'verified', 'bad'] as const;
const KEYRINGS = ['none', 'builtin', 'secondary', 'platform', 'user'] as const;

function signatureOf(facts: KernelFacts | null): string {
  if (facts === null || !(facts.flags & FACT_FLAGS.signature)) return 'unknown';
  const verdict = SIGNATURES[facts.signature] ?? `verdict ${facts.signature}`;
  if (verdict !== 'verified') return verdict;
  return `verified:${KEYRINGS[facts.keyringType] ?? facts.keyringType}`;
}

/** What scanning found; empty where nobody looked. */
function scanned(facts: KernelFacts | null) {
  const helpers = (facts?.helpers ?? []).map((id) => HELPERS[id] ?? String(id));
  if (facts && facts.flags & FACT_FLAGS.helperBeyond) helpers.push('beyond_255');
  return {
    signature: signatureOf(facts),
    attach: facts?.attach || null,
    helpers,
    kfuncs: (facts?.kfuncs ?? []).map(({ name }) => name),
    maps: facts?.maps ?? [],
  };
}

const licenseOf = (gpl: boolean): string => (gpl ? 'GPL-compatible' : 'not GPL-compatible');

function programOf(
  act: KernelAct,
  command: string,
  context: Context,
  sha256: string | null,
): Program | null {
  const { claim, object, facts } = act;
  if (object?.kind === 1) {
    return {
      ...scanned(facts),
      id: object.id,
      type: typeName(PROGRAM_TYPES, object.type),
      name: object.name,
      license: licenseOf(object.gpl),
      instructions: facts?.insnCnt ?? object.insnCnt,
      sha256: sha256 ?? object.digest,
      tag: object.tag,
      owner: context.ownerOf('prog', object.id),
      claimed: false,
    };
  }
  if (claim === null || CLAIMS[command] !== 'prog') return null;
  const byId = command !== 'PROG_LOAD';
  return {
    ...scanned(facts),
    id: byId ? claim.id : null,
    type: byId ? null : typeName(PROGRAM_TYPES, facts?.progType ?? claim.type),
    name: byId ? null : claim.name,
    license: facts === null ? null : licenseOf((facts.flags & FACT_FLAGS.gpl) !== 0),
    instructions: byId ? null : (facts?.insnCnt ?? claim.insnCnt),
    sha256,
    tag: null,
    owner: byId ? context.ownerOf('prog', claim.id) : null,
    claimed: facts === null && !(act.flags & ACT_FLAGS.copied),
  };
}

function mapOf(act: KernelAct, command: string, context: Context): BpfMap | null {
  const { claim, object } = act;
  if (object?.kind === 2) {
    return {
      id: object.id,
      type: typeName(MAP_TYPES, object.type),
      name: object.name,
      owner: context.ownerOf('map', object.id),
      claimed: false,
    };
  }
  if (claim === null || CLAIMS[command] !== 'map') return null;
  const byId = command !== 'MAP_CREATE';
  return {
    id: byId ? claim.id : null,
    type: byId ? null : typeName(MAP_TYPES, claim.type),
    name: byId ? null : claim.name,
    owner: byId ? context.ownerOf('map', claim.id) : null,
    claimed: !(act.flags & ACT_FLAGS.copied),
  };
}

function linkOf(act: KernelAct, command: string, context: Context): BpfLink | null {
  const { claim, object } = act;
  if (object?.kind === 3) {
    return {
      id: object.id,
      type: typeName(LINK_TYPES, object.type),
      program: object.targetId === 0 ? null : object.targetId,
      owner: context.ownerOf('link', object.id),
      claimed: false,
    };
  }
  if (claim === null || CLAIMS[command] !== 'link') return null;
  const owner = context.ownerOf('link', claim.id);
  const claimed = !(act.flags & ACT_FLAGS.copied);
  return { id: claim.id, type: null, program: null, owner, claimed };
}

/** In mode `signal` the call itself goes on: it was refused where nothing came of it. */
function isEnforced(act: KernelAct, mode: Mode): boolean {
  if (DECISIONS[act.decision] !== 'deny') return false;
  return mode !== 'signal' || (!(act.flags & ACT_FLAGS.noResult) && act.result < 0);
}

function verdictOf(act: KernelAct, { mode, policy }: Context): Verdict {
  const decision = DECISIONS[act.decision] ?? 'allow';
  const tier = TIERS[act.tier] ?? String(act.tier);
  const loader = loaderOfNumber(act.loader, policy.loaders);
  const rule = ruleName(act.rule, { tier, loader });
  const by = TIER_FROM[act.tierFrom] ?? 'subject';
  return { decision, rule, enforced: isEnforced(act, mode), mode, by };
}

/** Microseconds since 1970 of a CLOCK_BOOTTIME moment. */
export function wallUs(bootNs: bigint, bootOffsetNs: bigint): number {
  return Number((bootNs + bootOffsetNs) / 1000n);
}

function resultOf(act: KernelAct): { result: number | null; errno: string | null } {
  if (act.flags & ACT_FLAGS.noResult) return { result: null, errno: null };
  if (act.result >= 0) return { result: act.result, errno: null };
  return { result: -1, errno: errnoName(-act.result) };
}

/** `enum wd_via`. */
const VIAS = [
  'bpf',
  'perf_ioctl',
  'netlink',
  'setsockopt',
  'io_uring',
  'ioctl',
  'syscall',
] as const;

function commandOf({ command, via }: KernelAct): string {
  return (via === 0 ? undefined : OWN_COMMANDS[command]) ?? commandName(command);
}

function viaOf({ flags, via }: KernelAct): string {
  if (via !== 0) return VIAS[via] ?? String(via);
  if (flags & ACT_FLAGS.nested) return 'program';
  return flags & ACT_FLAGS.compat ? 'bpf_compat' : 'bpf';
}

/**
 * The event of a kernel record. Pure: the same record and context give the same event. `sha256`: of
 * the program's instructions as they were loaded, when all of them were seen.
 */
export function translate(act: KernelAct, context: Context, sha256: string | null = null): Event {
  const command = commandOf(act);
  const subject = subjectOf(act.subject);
  const { host, policy } = context;
  const runtime = loaderOfNumber(act.runtime, policy.loaders);
  return {
    timeUs: wallUs(act.bootNs, context.bootOffsetNs),
    principal: principalOf(subject, { host, realms: policy.realms, loaders: policy.loaders }),
    subject,
    loader: loaderOf(act, policy),
    process: processOf(act),
    act: {
      command,
      via: viaOf(act),
      ...resultOf(act),
      count: 1,
    },
    program: programOf(act, command, context, sha256),
    map: mapOf(act, command, context),
    link: linkOf(act, command, context),
    path: act.named,
    verdict: verdictOf(act, context),
    details: details({
      ...(runtime !== null && { runtime }),
      ...(act.flags & ACT_FLAGS.killed && { signal: 'SIGKILL' }),
    }),
  };
}

/** Kind of the object behind a record, when it is one that the inventory keeps. */
export function inventoryKind(object: KernelObject | null): ObjectKind | null {
  return object === null ? null : (OBJECT_KINDS[object.kind] ?? null);
}
