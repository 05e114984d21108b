import type { PrincipalKey } from './ids.ts';

export type ObjectKind = 'prog' | 'map' | 'link';

/** What the log remembers of a live BPF object. `owner` null: nobody was seen making it. */
export interface KnownObject {
  readonly kind: ObjectKind;
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly owner: PrincipalKey | null;
  readonly loader: string | null;
  readonly firstSeenUs: number;
  /** act: its making was seen · inventory: there at the first pass · drift: later, unseen. */
  readonly source: 'act' | 'inventory' | 'drift';
  /** Programs: the kernel's tag and, where it has one, SHA-256 of the instructions. */
  readonly tag: string | null;
  readonly sha256: string | null;
  /** Links: id of the program. */
  readonly program: number | null;
  /** Made by warden-load. */
  readonly ours: boolean;
}
