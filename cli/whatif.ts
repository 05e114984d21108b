import { plot } from 'asciichart';
import type { Command } from 'commander';
import { applyChange, changeProblem, parseChange } from '#backtest';
import { MICRO, type PrincipalKey, safeText } from '#event';
import type { Policy } from '#policy';
import { curve, type Point } from './shared/curve.ts';
import { displayNames } from './shared/display.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';
import { policyInForce, readPast, sayShort, windowOf } from './shared/past.ts';
import { findPrincipal } from './shared/principal.ts';

interface WhatifOptions {
  readonly set: readonly string[];
  readonly principal: string;
  readonly since: string;
  readonly until?: string;
  readonly json?: boolean;
  readonly state?: string;
}

const HEIGHT = 14;

/** The policy with each `--set`. Throws `CliError` usage. */
function changed(policy: Policy, texts: readonly string[]): Policy {
  let next = policy;
  for (const text of texts) {
    const change = parseChange(text);
    const applied = change === null ? null : applyChange(next, change);
    if (applied === null) {
      const expected = 'S07.weight=20, S03.half_life=3d or S12.limit=100';
      throw new CliError(EXIT.usage, `--set ${JSON.stringify(text)}: expected ${expected}`);
    }
    next = applied;
  }
  const problem = changeProblem(next);
  if (problem !== null) throw new CliError(EXIT.usage, `--set: ${problem}`);
  return next;
}

const points = (all: readonly Point[]): number[] =>
  all.map(({ trust }) => (trust === null ? Number.NaN : trust / MICRO));

async function run(options: WhatifOptions): Promise<void> {
  const config = configOf(options);
  const window = windowOf(options);
  const past = await readPast(config);
  const known = [...past.principals.keys()].map((principal) => ({ principal }));
  const principal = findPrincipal(options.principal, known) as PrincipalKey;
  if (!past.principals.has(principal)) {
    const next = './warden trust lists them';
    throw new CliError(EXIT.data, `${options.principal}: no such principal: ${next}`);
  }
  const baseline = policyInForce(config, past);
  const candidate = changed(baseline, options.set);
  sayShort(past, window.fromMs);
  const before = curve(past, principal, baseline, window);
  const after = curve(past, principal, candidate, window);
  if (options.json === true) {
    console.log(JSON.stringify({ schema: 'warden.whatif/1', principal, before, after }));
  } else print(principal, before, after);
}

function print(principal: string, before: readonly Point[], after: readonly Point[]): void {
  const [first, last] = [before[0] as Point, before.at(-1) as Point];
  const day = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;
  const chart = (title: string, all: readonly Point[]): void => {
    const values = points(all).filter((value) => !Number.isNaN(value));
    console.log(`\n${title}, tier at the end: ${all.at(-1)?.tier ?? 'unknown'}`);
    if (values.length === 0) console.log('  nothing in this time');
    else console.log(plot(values, { min: 0, max: 100, height: HEIGHT }));
  };
  console.log(
    `${safeText(displayNames()(principal))}, ${day(first.timeMs)} to ${day(last.timeMs)}`,
  );
  chart('as the policy is', before);
  chart('with the changes', after);
  console.log('\nrestricted below 55, quarantined below 35, denied below 15');
}

export function whatifVerb(program: Command): void {
  program
    .command('whatif')
    .description("a principal's trust with another weight, half-life or limit, as a curve")
    .requiredOption('--set <changes...>', 'such as S07.weight=20 S03.half_life=3d')
    .requiredOption('--principal <principal>', 'a key, or a name of this machine')
    .option('--since <span>', 'how far back', '30d')
    .option('--until <time>', 'where the time ends, by default now')
    .option('--json', 'both curves, as JSON (schema warden.whatif/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', '\nExample:\n  $ ./warden whatif --set S07.weight=20 --principal bob')
    .action(run);
}
