import type { TierName } from '#trust';
import type { Dimension, TAMPER } from './names.ts';
import type { LoaderKind, PolicyMode } from './policy.ts';

/** A policy file whose shape `schemas/policy.schema.json` has accepted. */
export interface PolicyFile {
  readonly version: 1;
  readonly mode: PolicyMode;
  readonly realms?: readonly RealmFile[];
  readonly operators?: readonly { readonly name: string; readonly key: string }[];
  readonly loaders?: readonly LoaderFile[];
  readonly grants?: Readonly<Record<string, GrantFile>>;
  readonly tiers?: Readonly<Partial<Record<TierName, { readonly grant: string }>>>;
  readonly ceiling?: TierName;
  readonly root_fall?: TierName;
  readonly reflex?: readonly ReflexFile[];
  readonly protect?: readonly string[];
  readonly bpffs?: readonly BpffsFile[];
  readonly trusted?: readonly string[];
  readonly bases?: BasesFile;
  readonly signals?: Readonly<Record<string, SignalFile>>;
  readonly context?: ContextFile;
  readonly breaker?: BreakerFile;
  readonly rollout?: { readonly would_deny?: number };
  readonly programs?: { readonly allow: readonly string[] };
  readonly hours?: HoursFile;
}

export interface RealmFile {
  readonly name: string;
  readonly uids: string;
  readonly managed?: boolean;
}

export interface ContextFile {
  readonly crown_jewels?: readonly string[];
  readonly changes?: readonly {
    readonly hosts: readonly string[];
    readonly from: string;
    readonly to: string;
  }[];
}

export interface BreakerFile {
  readonly principals?: number;
  readonly share?: string;
  readonly hosts?: string;
  readonly within?: string;
}

export interface LoaderFile {
  readonly name: string;
  readonly kind?: LoaderKind;
  readonly match: { readonly path: string; readonly sha256?: string | readonly string[] };
  readonly grant?: string;
  readonly floor?: TierName;
  /** `keep`, `keep 24h` or `deny`. */
  readonly on_change?: string;
  readonly code?: readonly string[];
}

export interface GrantFile {
  readonly commands: readonly string[];
  readonly program_types: readonly string[];
  readonly map_types: readonly string[];
  readonly attach_types?: readonly string[];
  readonly helpers?: readonly string[];
  readonly kfuncs?: readonly string[];
  readonly objects?: 'any' | 'own';
  readonly signature?: readonly string[];
  readonly enforce?: readonly Dimension[];
  readonly observe?: readonly Dimension[];
}

export interface BpffsFile {
  readonly path: string;
  readonly owners: readonly string[];
  readonly expose?: {
    readonly maps: readonly string[];
    readonly to: readonly string[];
    readonly access?: 'read' | 'write';
  };
  readonly helpers?: readonly string[];
}

export interface ReflexFile {
  readonly on: Dimension | typeof TAMPER;
  readonly tier: TierName;
  readonly for: string;
}

export const BASE_KINDS = ['realm', 'unmanaged', 'loader', 'loader_path', 'uid', 'host'] as const;
export type BaseKind = (typeof BASE_KINDS)[number];

export type BasesFile = Readonly<Partial<Record<BaseKind, number>>> & {
  readonly principals?: Readonly<Record<string, number>>;
};

export interface SignalFile {
  readonly weight?: number;
  readonly half_life?: string;
  readonly limit?: number;
}

export interface HoursFile {
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly utc_offset: string;
}
