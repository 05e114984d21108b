import type { PrincipalKey } from '#event';

/** A policy as checked and complete: what the file left out has its built-in value. */
export interface Policy {
  readonly version: 1;
  readonly mode: 'observe';
  /** By first uid. */
  readonly realms: readonly Realm[];
  /** In the order of the file: a loader's index in the kernel is its place here, from 1. */
  readonly loaders: readonly PolicyLoader[];
  /** By name; `all` and `none` are not among them. */
  readonly grants: readonly Grant[];
  /** Names of grants by tier, from denied to trusted. */
  readonly tiers: readonly [string, string, string, string, string];
  /** Sorted. */
  readonly trusted: readonly PrincipalKey[];
  readonly bases: Bases;
  /** All signals that this build raises, by number. */
  readonly signals: readonly PolicySignal[];
  /** SHA-256 of programs, sorted; null where the policy lists none. */
  readonly allow: readonly string[] | null;
  readonly hours: Hours | null;
}

/** Uids `first` to `last` mean the same persons on every host. */
export interface Realm {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

export const LOADER_KINDS = ['agent', 'tool', 'login', 'runtime'] as const;
export type LoaderKind = (typeof LOADER_KINDS)[number];

export interface PolicyLoader {
  readonly name: string;
  readonly kind: LoaderKind;
  readonly path: string;
  readonly sha256: string | null;
  /** Name of its grant. */
  readonly grant: string;
}

/** Names and patterns as the file has them. */
export interface Grant {
  readonly name: string;
  readonly commands: readonly string[];
  readonly programTypes: readonly string[];
  readonly mapTypes: readonly string[];
}

/** Trust without evidence, points. */
export interface Bases {
  readonly realm: number;
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
