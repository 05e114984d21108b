import type { PrincipalKey } from '#event';
import {
  effectiveTier,
  fold,
  initialState,
  type Model,
  type Tier,
  type TrustState,
  trustAt,
} from '#trust';
import type { Happened } from './past.ts';

/** A tier from a time on, and what made it so. */
export interface Step {
  readonly timeMs: number;
  readonly tier: Tier;
  /** Id of the event, control record or timer; empty for the first. */
  readonly cause: string;
}

/** How a principal would have stood. */
export interface Timeline {
  /** In time; the first is at the principal's first record. */
  readonly steps: readonly Step[];
  readonly state: TrustState;
  /** Times that each signal was raised within the window. */
  readonly raised: ReadonlyMap<string, number>;
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface TrialOptions {
  readonly model: Model;
  readonly window: Window;
  /** Told of each record of the window with the tier that it met. */
  readonly onRecord?: (happened: Happened, tier: Tier) => void;
  /** Told of trust before and after each record and timer of the window. */
  readonly onTrust?: (timeMs: number, trust: number, tier: Tier) => void;
}

/** Folds a principal's past under one model, as production would, with timers at their times. */
export function tryOut(
  principal: PrincipalKey,
  past: readonly Happened[],
  options: TrialOptions,
): Timeline {
  const run = new Run(principal, options);
  for (const happened of past) run.take(happened);
  return run.end();
}

class Run {
  private readonly principal: PrincipalKey;
  private readonly options: TrialOptions;
  private readonly steps: Step[] = [];
  private readonly raised = new Map<string, number>();
  private state: TrustState;

  constructor(principal: PrincipalKey, options: TrialOptions) {
    this.principal = principal;
    this.options = options;
    this.state = initialState(principal, options.model);
  }

  take(happened: Happened): void {
    const { window, onRecord } = this.options;
    const { timeMs, record, id } = happened;
    if (timeMs > window.toMs) return;
    this.runTimers(timeMs);
    this.note(timeMs, '');
    const isInside = timeMs >= window.fromMs;
    if (isInside) onRecord?.(happened, effectiveTier(this.state));
    this.tellTrust(timeMs);
    const { state, outcome } = fold(this.state, record, this.options.model);
    this.state = state;
    if (isInside) {
      for (const { id: signal } of outcome.signals) {
        this.raised.set(signal, (this.raised.get(signal) ?? 0) + 1);
      }
    }
    this.note(timeMs, id);
    this.tellTrust(timeMs);
  }

  end(): Timeline {
    this.runTimers(this.options.window.toMs);
    this.tellTrust(this.options.window.toMs);
    return { steps: this.steps, state: this.state, raised: this.raised };
  }

  /** Each timer at its very time, up to and with `untilMs`. */
  private runTimers(untilMs: number): void {
    for (
      let dueMs = this.state.dueMs;
      dueMs !== null && dueMs <= untilMs;
      dueMs = this.state.dueMs
    ) {
      const id = `due/${this.principal}/${dueMs}`;
      const base = { type: 'control', id, principal: this.principal, appendedMs: dueMs } as const;
      this.tellTrust(dueMs);
      const { state } = fold(this.state, { ...base, kind: 'due' }, this.options.model);
      // A timer that changes nothing would come for ever.
      if (state.dueMs === dueMs) return;
      this.state = state;
      this.note(dueMs, id);
      this.tellTrust(dueMs);
    }
  }

  private note(timeMs: number, cause: string): void {
    const tier = effectiveTier(this.state);
    if (this.steps.at(-1)?.tier !== tier) this.steps.push({ timeMs, tier, cause });
  }

  private tellTrust(timeMs: number): void {
    const { window, onTrust, model } = this.options;
    if (onTrust === undefined || timeMs < window.fromMs) return;
    const atMs = Math.max(timeMs, this.state.tMs);
    onTrust(timeMs, trustAt(this.state, atMs, model), effectiveTier(this.state));
  }
}

/** The tier at a time: null before the principal's first record. */
export function tierAt({ steps }: Timeline, timeMs: number): Tier | null {
  let tier: Tier | null = null;
  for (const step of steps) {
    if (step.timeMs > timeMs) break;
    tier = step.tier;
  }
  return tier;
}

/** Milliseconds of the window spent below `standard`. */
export function restrictedMs({ steps }: Timeline, { fromMs, toMs }: Window): number {
  let sum = 0;
  for (const [i, { timeMs, tier }] of steps.entries()) {
    if (tier >= STANDARD) continue;
    const begin = Math.max(timeMs, fromMs);
    const end = Math.min(steps[i + 1]?.timeMs ?? toMs, toMs);
    sum += Math.max(0, end - begin);
  }
  return sum;
}

export const STANDARD = 3;
