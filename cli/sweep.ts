import Table from 'cli-table3';
import type { Command } from 'commander';
import { applyChange, backtest, type Change, changeProblem, type Measures } from '#backtest';
import type { Policy } from '#policy';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';
import {
  policyInForce,
  progress,
  readPast,
  readPolicy,
  sayShort,
  windowOf,
} from './shared/past.ts';

interface SweepOptions {
  readonly param: readonly string[];
  readonly steps: string;
  readonly policy?: string;
  readonly since: string;
  readonly until?: string;
  readonly json?: boolean;
  readonly state?: string;
}

interface Range {
  readonly name: string;
  readonly signal: string;
  readonly parameter: Change['parameter'];
  readonly from: number;
  readonly to: number;
}

/** A point of the grid: the factor of each parameter, and what it came to. */
interface Tried {
  readonly factors: Readonly<Record<string, number>>;
  readonly measures: Measures;
  /** No other point is as good in both, and better in one. */
  readonly pareto: boolean;
}

const RUNS_MAX = 400;

function rangeOf(text: string): Range {
  const match = /^(S\*|S\d{2}H?)\.(weight|half_life|limit)=([\d.]+)\.\.([\d.]+)$/.exec(text);
  const [, signal = '', parameter, low, high] = match ?? [];
  const [from, to] = [Number(low), Number(high)];
  if (match === null || !(from >= 0 && from <= to && to <= 10)) {
    const expected = 'factors from..to, such as S*.weight=0.5..1.5';
    throw new CliError(EXIT.usage, `--param ${JSON.stringify(text)}: expected ${expected}`);
  }
  const name = `${signal}.${parameter}`;
  return { name, signal, parameter: parameter as Change['parameter'], from, to };
}

function stepsOf(text: string): number {
  if (/^[1-9]\d?$/.test(text) && Number(text) >= 2) return Number(text);
  throw new CliError(EXIT.usage, `--steps ${JSON.stringify(text)}: expected 2 to 99`);
}

/** Every combination of factors. */
function grid(ranges: readonly Range[], steps: number): Record<string, number>[] {
  let all: Record<string, number>[] = [{}];
  for (const { name, from, to } of ranges) {
    const factors = Array.from({ length: steps }, (_, i) => from + ((to - from) * i) / (steps - 1));
    all = all.flatMap((one) => factors.map((factor) => ({ ...one, [name]: factor })));
  }
  return all;
}

function withFactors(policy: Policy, ranges: readonly Range[], at: Record<string, number>): Policy {
  let next = policy;
  for (const { name, signal, parameter } of ranges) {
    const change = { signal, parameter, value: at[name] as number, isFactor: true };
    const applied = applyChange(next, change);
    if (applied === null) throw new CliError(EXIT.usage, `--param ${name}: no such signal`);
    next = applied;
  }
  const problem = changeProblem(next);
  if (problem !== null) throw new CliError(EXIT.usage, `--param: ${problem}`);
  return next;
}

/** Recall against restricted hours: which points nobody beats. */
function withPareto(tried: readonly Omit<Tried, 'pareto'>[]): Tried[] {
  const beats = (a: Measures, b: Measures): boolean => {
    const [ra, rb] = [a.recall ?? 0, b.recall ?? 0];
    const [ha, hb] = [a.restrictedHoursPerWeek, b.restrictedHoursPerWeek];
    return ra >= rb && ha <= hb && (ra > rb || ha < hb);
  };
  return tried.map((one) => ({
    ...one,
    pareto: !tried.some((other) => beats(other.measures, one.measures)),
  }));
}

async function run(options: SweepOptions): Promise<void> {
  const { policy: file, ...rest } = options;
  const config = configOf(rest);
  const ranges = options.param.map(rangeOf);
  const points = grid(ranges, stepsOf(options.steps));
  if (points.length > RUNS_MAX) {
    const message = `${points.length} combinations: at most ${RUNS_MAX}: fewer --steps or --param`;
    throw new CliError(EXIT.usage, message);
  }
  const window = windowOf(options);
  const past = await readPast(config);
  sayShort(past, window.fromMs);
  const baseline = file === undefined ? policyInForce(config, past) : readPolicy(file);
  const bar = progress('sweeping');
  const tried = points.map((factors, i) => {
    const candidate = withFactors(baseline, ranges, factors);
    const { candidate: measures } = backtest({
      past,
      baseline: candidate,
      candidate,
      window,
      marginal: false,
    });
    bar((i + 1) / points.length);
    return { factors, measures };
  });
  const all = withPareto(tried);
  if (options.json === true) console.log(JSON.stringify({ schema: 'warden.sweep/1', tried: all }));
  else print(all, ranges);
}

const percent = (share: number | null): string =>
  share === null ? 'no labels' : `${(share * 100).toFixed(1)} %`;

function print(tried: readonly Tried[], ranges: readonly Range[]): void {
  const names = ranges.map(({ name }) => name);
  const head = [...names, 'PRECISION', 'RECALL', 'HOURS A WEEK', 'TIER CHANGES', ''];
  const rows = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const { factors, measures, pareto } of tried) {
    rows.push([
      ...names.map((name) => (factors[name] as number).toFixed(2)),
      percent(measures.precision),
      percent(measures.recall),
      measures.restrictedHoursPerWeek.toFixed(1),
      `${measures.tierChanges}`,
      pareto ? 'pareto' : '',
    ]);
  }
  console.log(rows.toString());
  console.log('pareto: no other point has as much recall for as few restricted hours');
}

export function sweepVerb(program: Command): void {
  program
    .command('sweep')
    .description('many policies at once: recall against restricted hours over a grid of factors')
    .requiredOption('--param <ranges...>', 'factors, such as S*.weight=0.5..1.5')
    .option('--steps <number>', 'values of each', '5')
    .option('--policy <file>', 'what is varied, by default the policy in force')
    .option('--since <span>', 'how far back', '30d')
    .option('--until <time>', 'where the time ends, by default now')
    .option('--json', 'every point, as JSON (schema warden.sweep/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden sweep --param "S*.weight=0.5..1.5" "S*.half_life=0.5..2"',
    )
    .action(run);
}
