import type { PrincipalKey } from '#event';
import type { ActFacts } from './facts.ts';
import type { HostSeen, Window } from './memory.ts';
import type { Standing } from './model.ts';

/** One record of a principal's lane. `appendedMs`: when the log took it in. */
export type TrustRecord = ActRecord | ControlRecord;

export interface ActRecord {
  readonly type: 'act';
  /** The host's clock. */
  readonly eventTimeMs: number;
  readonly appendedMs: number;
  readonly facts: ActFacts;
}

/**
 * due: a timer set by `dueMs` has run off. policy: the principal follows the model's policy from
 * here on; without such a record it does so from the first record that is folded with that model.
 */
export interface ControlRecord {
  readonly type: 'control';
  readonly kind: 'due' | 'policy';
  /** The same id twice changes nothing. */
  readonly id: string;
  readonly principal: PrincipalKey;
  readonly appendedMs: number;
}

export interface SignalAdded {
  readonly id: string;
  /** Micro-points before the cap; 0 while there is too little evidence to judge by. */
  readonly added: number;
}

/** What a record comes to. `tMs` is its effective time. */
export type Decision =
  | {
      readonly type: 'acted';
      readonly tMs: number;
      readonly signals: readonly SignalAdded[];
      readonly hosts: readonly HostSeen[];
      readonly windows: readonly Window[];
    }
  | { readonly type: 'control-applied'; readonly tMs: number; readonly control: number }
  | { readonly type: 'policy-changed'; readonly tMs: number; readonly standing: Standing }
  | { readonly type: 'timer-ran-off'; readonly tMs: number };

export type Acted = Decision & { readonly type: 'acted' };
