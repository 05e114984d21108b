import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { Model } from './model.ts';
import type { SignalAdded, TrustRecord } from './records.ts';
import { trustAt } from './score.ts';
import type { TrustState } from './state.ts';
import { effectiveTier, TIER_NAMES, type TierName } from './tiers.ts';

export interface FoldOutcome {
  /** Trust at `tEffMs`, micro-points, without and with this record; both by the model given. */
  readonly before: number;
  readonly after: number;
  readonly tierBefore: TierName;
  readonly tier: TierName;
  readonly tierChanged: boolean;
  readonly signals: readonly SignalAdded[];
  /** When a due record must be written unless another record comes first; null: no timer. */
  readonly dueMs: number | null;
  readonly tEffMs: number;
  /** Effective less event time: negative for a clock that runs ahead; 0 for control records. */
  readonly skewMs: number;
  /** First act of the principal's UTC day. */
  readonly firstOfDay: boolean;
  /** Why an override was not applied; null where it was, and for any other record. */
  readonly refused: string | null;
}

export interface Folded {
  readonly state: TrustState;
  readonly outcome: FoldOutcome;
}

/**
 * One step of the fold: what `decide` makes of the record, applied by `evolve`. Pure: the same
 * state, record and model give the same result, on any machine.
 */
export function fold(state: TrustState, record: TrustRecord, model: Model): Folded {
  const decisions = decide(state, record, model);
  const next = decisions.reduce((held, decision) => evolve(held, decision, model), state);
  const tEffMs = next.tMs;
  const signals = decisions.flatMap((decision) =>
    decision.type === 'acted' || decision.type === 'reported' ? decision.signals : [],
  );
  const refused = decisions.find((decision) => decision.type === 'override-refused');
  const before = trustAt(state, tEffMs, model);
  const quiet = decisions.length <= 1 && signals.length === 0;
  return {
    state: next,
    outcome: {
      before,
      after: quiet ? before : trustAt(next, tEffMs, model),
      tierBefore: TIER_NAMES[effectiveTier(state)],
      tier: TIER_NAMES[effectiveTier(next)],
      tierChanged: effectiveTier(next) !== effectiveTier(state),
      signals,
      dueMs: next.dueMs,
      tEffMs,
      skewMs: record.type === 'act' ? tEffMs - record.eventTimeMs : 0,
      firstOfDay: next.activeDay !== state.activeDay,
      refused: refused?.why ?? null,
    },
  };
}
