import type { PrincipalKey } from './ids.ts';

/** Shapes of `schemas/event.avsc`; field meanings stand there. */
export interface Subject {
  readonly kind: 'auid' | 'loader' | 'uid';
  readonly id: number;
}

/** Where an executable's file lives, from the kernel's own objects. */
export type ExePlace =
  | 'memfd'
  | 'deleted'
  | 'tmpfs'
  | 'overlay_upper'
  | 'overlay'
  | 'none'
  | 'changed';

export interface Loader {
  readonly name: string | null;
  readonly path: string;
  readonly pathTruncated: boolean;
  readonly sha256: string | null;
  readonly device: number;
  readonly inode: string;
  readonly ownerUid: number;
  readonly places: readonly string[];
}

export interface Process {
  readonly pid: number;
  readonly tid: number | null;
  readonly ppid: number | null;
  readonly uid: number;
  readonly euid: number | null;
  readonly auid: number | null;
  readonly auidStatus: string;
  readonly session: number | null;
  readonly comm: string;
  readonly cgroup: string;
  readonly exeLabel: string;
  readonly userns: number | null;
  readonly initUserns: boolean;
  readonly capabilities: readonly string[];
}

export interface Act {
  readonly command: string;
  readonly via: string;
  readonly result: number | null;
  readonly errno: string | null;
  readonly count: number;
}

export interface Program {
  readonly id: number | null;
  readonly type: string | null;
  readonly name: string | null;
  readonly license: string | null;
  readonly signature: string;
  readonly instructions: number | null;
  readonly sha256: string | null;
  readonly tag: string | null;
  readonly attach: string | null;
  readonly helpers: readonly string[];
  readonly kfuncs: readonly string[];
  readonly maps: readonly number[];
  readonly owner: string | null;
  readonly claimed: boolean;
}

export interface BpfMap {
  readonly id: number | null;
  readonly type: string | null;
  readonly name: string | null;
  readonly owner: string | null;
  readonly claimed: boolean;
}

export interface BpfLink {
  readonly id: number | null;
  readonly type: string | null;
  readonly program: number | null;
  readonly owner: string | null;
  readonly claimed: boolean;
}

export type Decision = 'allow' | 'deny' | 'would_deny';
export type Mode = 'lsm' | 'fmod_ret' | 'signal' | 'audit';

export interface Verdict {
  readonly decision: string;
  readonly rule: string | null;
  readonly enforced: boolean;
  readonly mode: string;
  /** What made the tier as low as it was: subject, ceiling, reflex, carried. */
  readonly by: string;
}

export interface Detail {
  readonly key: string;
  readonly value: string;
}

export interface Event {
  readonly timeUs: number;
  readonly principal: PrincipalKey;
  readonly subject: Subject | null;
  readonly loader: Loader | null;
  readonly process: Process | null;
  readonly act: Act;
  readonly program: Program | null;
  readonly map: BpfMap | null;
  readonly link: BpfLink | null;
  readonly path: string | null;
  readonly verdict: Verdict;
  readonly details: readonly Detail[];
}

export interface Frame {
  readonly host: string;
  readonly incarnation: string;
  readonly lane: number;
  readonly first: number;
  readonly previous: Uint8Array;
  readonly events: readonly Uint8Array[];
  readonly mac: Uint8Array;
}

export interface Enriched {
  readonly host: string;
  readonly incarnation: string;
  readonly lane: number;
  readonly sequence: number;
  readonly event: Uint8Array;
  readonly trustBefore: number | null;
  readonly trustAfter: number | null;
  readonly tier: string | null;
  readonly signals: readonly string[];
}

export interface TierRecord {
  readonly principal: PrincipalKey;
  readonly tier: string;
  readonly default: boolean;
  readonly trust: number;
  readonly reasons: readonly string[];
  readonly pinned: boolean;
  readonly approved: boolean;
  readonly cause: string;
  readonly causeTimeUs: number;
  readonly reflex: Reflex | null;
}

/** The act that set off a reflex in a host's kernel, where `cause` is the event that told of it. */
export interface Reflex {
  readonly host: string;
  readonly bootId: string;
  /** CLOCK_BOOTTIME at the act's begin. */
  readonly bootNs: string;
}

export interface Control {
  readonly id: string;
  readonly lane: number;
  readonly kind: 'due' | 'policy' | 'override' | 'external';
  readonly principal: PrincipalKey | null;
  readonly timeMs: number;
  readonly policyHash: string | null;
  readonly policy: string | null;
  readonly body: Uint8Array | null;
  readonly mac: Uint8Array;
}

export interface SignalRecord {
  readonly principal: PrincipalKey;
  readonly event: string;
  readonly timeMs: number;
  readonly signals: readonly { readonly id: string; readonly added: number }[];
  readonly facts: string;
}

/** Commands of the system's own events, which travel like any other under `host:NAME`. */
export const SYSTEM_COMMANDS = [
  'LOSS',
  'CHECKPOINT',
  'TIER',
  'ENFORCED',
  'REFLEX',
  'OVERRIDE',
  'POLICY',
  'BREAKER',
  'DRIFT',
  'INVENTORY',
  'FORK',
  'RING_TAMPER',
  'GUARD',
  'SEAL',
  'LOADER',
  'LOG_TAMPER',
  'START',
  'STOP',
] as const;
export type SystemCommand = (typeof SYSTEM_COMMANDS)[number];

const systemCommands: ReadonlySet<string> = new Set(SYSTEM_COMMANDS);

export function isSystemEvent(event: Event): boolean {
  return systemCommands.has(event.act.command);
}

/** Details from an object, sorted by key, so that equal content has equal bytes. */
export function details(values: Readonly<Record<string, string | number | boolean>>): Detail[] {
  return Object.keys(values)
    .sort()
    .map((key) => ({ key, value: String(values[key]) }));
}
