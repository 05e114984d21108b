import type { Command } from 'commander';
import type { Config } from '#config';
import { STAGES, type Stage } from '#event';
import { displayNames } from '../shared/display.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { configOf, isThere, withLog } from '../shared/open.ts';
import { formatSpan } from '../shared/span.ts';
import { stageOf } from './apply.ts';
import {
  type InForce,
  inForce,
  percentOf,
  type RollOutOptions,
  rollOut,
  tell,
  withRollOutOptions,
} from './roll-out.ts';
import { type WouldDeny, wouldDenials } from './usage.ts';

interface PromoteOptions extends RollOutOptions {
  readonly stage: string;
  readonly percent?: string;
  readonly anyway?: boolean;
}

type Applied = NonNullable<InForce['applied']>;

function appliedHere({ applied }: InForce): Applied {
  if (applied !== null) return applied;
  const next = 'apply it first: ./warden policy apply FILE';
  throw new CliError(EXIT.unavailable, `no policy was applied on this host: ${next}`);
}

/** Only forward: back is what rollback and apply are for. */
function checkForward(applied: Applied, stage: Stage, percent: number): void {
  const [was, is] = [STAGES.indexOf(applied.stage), STAGES.indexOf(stage)];
  if (is > was || (is === was && stage === 'canary' && percent > applied.percent)) return;
  const at = applied.stage === 'canary' ? `canary, ${applied.percent}%` : applied.stage;
  const next = 'back is ./warden policy rollback, or apply with --stage';
  throw new CliError(EXIT.usage, `the policy is in stage ${at} already: ${next}`);
}

const SHOWN = 10;
const MINUTE_MS = 60_000;

function worstLines({ worst }: WouldDeny): string[] {
  const display = displayNames();
  return worst.slice(0, SHOWN).map(({ principal, count, rule }) => {
    return `  ${display(principal)}: ${count} (${rule})`;
  });
}

/** What would have been refused since the stage began. Throws `CliError` where it is too much. */
async function checkBudget(config: Config, applied: Applied, anyway: boolean): Promise<string> {
  const budget = applied.policy.wouldDenyBudget;
  if (!isThere(config.database)) {
    if (anyway) return 'nobody knows what would have been refused: no log here';
    const next = 'name the directory with --state, or promote it with --anyway';
    throw new CliError(EXIT.unavailable, `${config.database}: no log of what was refused: ${next}`);
  }
  const since = applied.timeMs;
  const found = await withLog(config, (store) => wouldDenials(store, since, Date.now()));
  const minutes = Math.max(1, Math.floor((Date.now() - found.fromMs) / MINUTE_MS));
  const span = formatSpan(minutes * MINUTE_MS);
  const told = `${found.perDay} acts a day of people without a label would have been refused`;
  const text = `${told} in ${span}; the budget is ${budget}`;
  if (found.perDay <= budget || anyway) return text;
  const next = [
    'allow what is right, ./warden label what is an attack or a false alarm,',
    'or promote it with --anyway',
  ].join(' ');
  throw new CliError(EXIT.findings, [`${text}: ${next}`, ...worstLines(found)].join('\n'));
}

async function promote(options: PromoteOptions): Promise<void> {
  const config = configOf(options);
  const stage = stageOf(options.stage);
  const percent = percentOf(stage, options.percent);
  const applied = appliedHere(inForce(config));
  checkForward(applied, stage, percent);
  const anyway = options.anyway === true;
  const note = await checkBudget(config, applied, anyway);
  const reason = anyway ? `${options.reason} (anyway: ${note})` : options.reason;
  const { policy, text } = applied;
  const target = { policy, text, stage, percent };
  tell(await rollOut(config, target, { ...options, reason }), options, [note]);
}

export function promoteVerb(policy: Command): void {
  const verb = policy
    .command('promote')
    .description('take the policy of this host a stage further: it refuses on more hosts')
    .requiredOption('--stage <stage>', 'canary or enforce')
    .option('--percent <n>', 'of the hosts, with --stage canary (default: 10)')
    .option('--anyway', 'though more would be refused than rollout.would_deny: it is recorded');
  withRollOutOptions(verb)
    .addHelpText(
      'after',
      '\nExamples:\n  $ sudo ./warden policy promote --stage canary --percent 10 \\\n' +
        '      --author alice --reason "a week without a would-denial"\n' +
        '  $ sudo ./warden policy promote --stage enforce \\\n' +
        '      --author alice --reason "the canaries are well"\n\n' +
        'Exit codes: 0 promoted; 1 more would be refused than the budget allows: the worst are\n' +
        'listed; 64 usage, or it is that far already; 69 no policy was applied, or no log.',
    )
    .action(promote);
}
