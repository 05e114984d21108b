import type { HostCeiling, ReflexEntry, SubjectEntry } from '#bpf';

/** The kernel's subject map, as the enforcer needs it. */
export interface SubjectMap {
  read(): SubjectEntry[];
  set(entry: SubjectEntry): void;
  remove(kind: number, id: number): boolean;
}

/** What the guard has lowered by itself: to be read only. */
export interface ReflexMap {
  read(): ReflexEntry[];
}

/** The kernel's word on the whole host. */
export interface HostMap {
  read(): HostCeiling | null;
  set(ceiling: HostCeiling | null): void;
}

/** Who had CAP_SYS_ADMIN here: to be read only. */
export interface AdminMap {
  read(): readonly { readonly kind: number; readonly id: number }[];
}

/** `enum wd_subject_kind`. */
export const KINDS = { auid: 1, loader: 2, uid: 3 } as const;
export const KIND_NAMES: Readonly<Record<number, keyof typeof KINDS>> = {
  1: 'auid',
  2: 'loader',
  3: 'uid',
};
