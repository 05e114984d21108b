export { applyChange, type Change, changeProblem, parseChange } from './change.ts';
export { type Happened, type Label, type Past, PastReader } from './past.ts';
export {
  type BacktestOptions,
  backtest,
  type Confusion,
  type Difference,
  type Marginal,
  type Measures,
  type Report,
} from './report.ts';
export { type Timeline, tierAt, tryOut, type Window } from './trial.ts';
