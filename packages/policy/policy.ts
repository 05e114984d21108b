import type { PrincipalKey } from '#event';
import type { Dimension, TAMPER } from './names.ts';

export const POLICY_MODES = ['observe', 'enforce'] as const;
export type PolicyMode = (typeof POLICY_MODES)[number];

/** Where the file says nothing of a root's fall. */
export const ROOT_FALL = 'restricted';

/** A policy as checked and complete: what the file left out has its built-in value. */
export interface Policy {
  readonly version: 1;
  readonly mode: PolicyMode;
  /** By first uid. */
  readonly realms: readonly Realm[];
  /** In the order of the file. */
  readonly operators: readonly Operator[];
  /** In the order of the file. */
  readonly loaders: readonly PolicyLoader[];
  /** By name; `all` and `none` are not among them. */
  readonly grants: readonly Grant[];
  /** Names of grants by tier, from denied to trusted. */
  readonly tiers: readonly [string, string, string, string, string];
  /** No subject of a host is above this tier. */
  readonly ceiling: number;
  /** Where one who was root has fallen, nobody but known loaders is above this tier. */
  readonly rootFall: number;
  /** By dimension. */
  readonly reflex: readonly Reflex[];
  /** Loaders whose objects nobody else may reach. */
  readonly protect: readonly string[];
  /** What directories of a bpffs are for. */
  readonly bpffs: readonly Domain[];
  /** Sorted. */
  readonly trusted: readonly PrincipalKey[];
  readonly bases: Bases;
  /** All signals that this build raises, by number. */
  readonly signals: readonly PolicySignal[];
  /** SHA-256 of programs, sorted; null where the policy lists none. */
  readonly allow: readonly string[] | null;
  readonly hours: Hours | null;
  readonly context: Context;
  readonly breaker: Breaker;
  /** Would-denials a day of people without a label that a promotion tolerates. */
  readonly wouldDenyBudget: number;
}

/** Uids `first` to `last` mean the same persons on every host. */
export interface Realm {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  /** false: nobody looks after these accounts. */
  readonly managed: boolean;
}

/** Who may sign policies and tokens. */
export interface Operator {
  readonly name: string;
  /** Raw Ed25519 public key, base64. */
  readonly key: string;
}

/** Where and when evidence counts for more or less. Hosts are names or patterns with `*`. */
export interface Context {
  readonly crownJewels: readonly string[];
  readonly changes: readonly ChangeWindow[];
}

export interface ChangeWindow {
  readonly hosts: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** How many may be lowered at once before an operator must approve. */
export interface Breaker {
  readonly principals: number;
  readonly sharePermille: number;
  readonly hostsPermille: number;
  readonly withinMs: number;
}

export const LOADER_KINDS = ['agent', 'tool', 'login', 'runtime'] as const;
export type LoaderKind = (typeof LOADER_KINDS)[number];

export interface PolicyLoader {
  readonly name: string;
  readonly kind: LoaderKind;
  readonly path: string;
  /** Contents that its file may have, sorted; none: whatever is at the path. */
  readonly sha256: readonly string[];
  /** Name of its grant. */
  readonly grant: string;
  /** Tier below which evidence does not take an agent. */
  readonly floor: number;
  /**
   * How long a file of another content is the loader, in ms: 0 for not at all, Infinity for until
   * the policy is applied again.
   */
  readonly keepMs: number;
  /** Files that it may map to execute, besides its own; null: any. Sorted. */
  readonly code: readonly string[] | null;
}

/** Names and patterns as the file has them; null where it does not limit. */
export interface Grant {
  readonly name: string;
  readonly commands: readonly string[];
  readonly programTypes: readonly string[];
  readonly mapTypes: readonly string[];
  readonly attachTypes: readonly string[] | null;
  readonly helpers: readonly string[] | null;
  readonly kfuncs: readonly string[] | null;
  /** Programs and maps that may be used: anybody's, or the own ones. */
  readonly objects: 'any' | 'own';
  /** Who must have signed a program; null: nobody. See `KEYRINGS`. */
  readonly signature: readonly string[] | null;
  /** Where it differs from the policy's mode, in the order of DIMENSIONS. */
  readonly enforce: readonly Dimension[];
  readonly observe: readonly Dimension[];
}

/** A bpffs, or a directory at its top: loaders by name. */
export interface Domain {
  readonly path: string;
  /** They may pin there, and open all that is pinned there. */
  readonly owners: readonly string[];
  /** They may open the maps below. */
  readonly readers: readonly string[];
  readonly maps: readonly string[];
  readonly access: 'read' | 'write';
  /** Patterns of what a program pinned there may call; null: anything. */
  readonly helpers: readonly string[] | null;
}

/** What a refusal does to its subject in the kernel, at once. */
export interface Reflex {
  readonly on: Dimension | typeof TAMPER;
  readonly tier: number;
  readonly forMs: number;
}

/** Trust without evidence, points. */
export interface Bases {
  readonly realm: number;
  readonly unmanaged: number;
  readonly loader: number;
  readonly loaderPath: number;
  readonly uid: number;
  readonly host: number;
  /** Sorted by principal. */
  readonly principals: readonly { readonly principal: PrincipalKey; readonly points: number }[];
}

export interface PolicySignal {
  readonly id: string;
  readonly points: number;
  readonly halfLifeMs: number;
  /** null for signals of one act. */
  readonly limit: number | null;
}

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

export interface Hours {
  /** 0 Sunday to 6 Saturday, growing. */
  readonly weekdays: readonly number[];
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly offsetMinutes: number;
}

export const BUILT_IN_GRANTS: ReadonlySet<string> = new Set(['all', 'none']);
