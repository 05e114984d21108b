import type { Lane, Override } from '#event';
import type { Output } from '#log';
import type { StateChange } from '#state';

/** A record, or part of one, that was left out of the fold. */
export interface Fault {
  readonly offset: number;
  readonly lane: number;
  readonly code: string;
  readonly why: string;
}

/** What one batch of records comes to: to be committed as one. */
export interface Folded {
  readonly outputs: Output[];
  readonly state: StateChange[];
  readonly faults: Fault[];
  readonly dues: { readonly lane: Lane; readonly dueMs: number }[];
  /** Ids of the control records that were read back. */
  readonly controls: string[];
  /** What operators said, and why it was not applied where it was not. */
  readonly overrides: { readonly override: Override; readonly refused: string | null }[];
  readonly traced: Traced[];
  readonly events: number;
}

/** An event whose way is traced. `arrivedMs`: when the log took in its frame. */
export interface Traced {
  readonly id: string;
  readonly arrivedMs: number;
  readonly principal: string;
  readonly command: string;
  readonly tier: string;
}
