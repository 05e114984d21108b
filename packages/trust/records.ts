import type { Override, PrincipalKey } from '#event';
import type { ActFacts } from './facts.ts';
import type { ClassSeen, HostSeen, Window } from './memory.ts';
import type { Standing } from './model.ts';

/** One record of a principal's lane. `appendedMs`: when the log took it in. */
export type TrustRecord = ActRecord | ControlRecord;

export interface ActRecord {
  readonly type: 'act';
  /** The host's clock. */
  readonly eventTimeMs: number;
  readonly appendedMs: number;
  readonly facts: ActFacts;
  /**
   * Ids of the signals that it raised when it was first folded: those that need the state's memory
   * are then taken from here, and the memory stays as it is. For logs that hold such acts only.
   */
  readonly recorded?: readonly string[];
}

/**
 * due: a timer set by `dueMs` has run off. policy: the principal follows the model's policy from
 * here on; without such a record it does so from the first record that is folded with that model.
 * override: what an operator said. external: risk that another system reports (S18).
 */
export type ControlRecord = ControlBase &
  (
    | { readonly kind: 'due' | 'policy' }
    | { readonly kind: 'override'; readonly override: Override }
    | { readonly kind: 'external'; readonly permille: number }
  );

interface ControlBase {
  readonly type: 'control';
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
      readonly classes: readonly ClassSeen[];
    }
  | {
      readonly type: 'reported';
      readonly tMs: number;
      readonly signals: readonly SignalAdded[];
    }
  | { readonly type: 'overridden'; readonly tMs: number; readonly override: Override }
  | { readonly type: 'override-refused'; readonly tMs: number; readonly why: string }
  | { readonly type: 'control-applied'; readonly tMs: number; readonly control: number }
  | { readonly type: 'policy-changed'; readonly tMs: number; readonly standing: Standing }
  | { readonly type: 'timer-ran-off'; readonly tMs: number };

export type Acted = Decision & { readonly type: 'acted' };
