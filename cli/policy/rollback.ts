import type { Command } from 'commander';
import { enforcesAnything, hashPolicy, parsePolicy } from '#policy';
import { type Application, readHistory, readPast } from '../shared/applied.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { configOf } from '../shared/open.ts';
import {
  inForce,
  type RollOutOptions,
  rollOut,
  type Target,
  tell,
  withRollOutOptions,
} from './roll-out.ts';

interface RollbackOptions extends RollOutOptions {
  readonly to?: string;
}

/** The hash that is meant by its first digits. Throws `CliError`. */
function hashOf(wanted: string, history: readonly Application[]): string {
  const hashes = new Set(history.flatMap(({ hash, previous }) => [hash, previous]));
  const fits = [...hashes].filter((hash) => hash?.startsWith(wanted)) as string[];
  const [only, another] = fits;
  if (only !== undefined && another === undefined) return only;
  const what = only === undefined ? 'nothing with that hash was applied here' : 'it fits several';
  const next = './warden policy history lists them';
  throw new CliError(EXIT.usage, `--to ${JSON.stringify(wanted)}: ${what}: ${next}`);
}

/** A policy as it last was on this host; one that was never applied counts as it says. */
function pastTarget(hash: string, history: readonly Application[]): Target {
  const text = readPast(hash);
  const parsed = parsePolicy(text, hash);
  if (!parsed.ok || hashPolicy(parsed.policy) !== hash) {
    const what = 'its text was changed, or means something else in this version';
    throw new CliError(EXIT.data, `policy ${hash}: ${what}: apply it as a file`);
  }
  const { policy } = parsed;
  const last = history.findLast((one) => one.hash === hash);
  if (last !== undefined) return { policy, text, stage: last.stage, percent: last.percent };
  const refuses = enforcesAnything(policy);
  return { policy, text, stage: refuses ? 'enforce' : 'observe', percent: refuses ? 100 : 0 };
}

async function rollback(options: RollbackOptions): Promise<void> {
  const config = configOf(options);
  const { applied } = inForce(config);
  const history = readHistory();
  const hash = options.to === undefined ? applied?.previous : hashOf(options.to, history);
  if (hash === undefined || hash === null) {
    const next = './warden policy history lists what was';
    throw new CliError(EXIT.unavailable, `no policy was in force here before this one: ${next}`);
  }
  tell(await rollOut(config, pastTarget(hash, history), options), options);
}

export function rollbackVerb(policy: Command): void {
  const verb = policy
    .command('rollback')
    .description('go back to the policy before, at the stage that it had')
    .option('--to <hash>', 'to this one: the first digits of its hash');
  withRollOutOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden policy rollback \\\n' +
        '      --author alice --reason "it refused the backup"\n\n' +
        'Exit codes: 0 done; 64 no such policy; 69 there was none before; 77 not root, or not\n' +
        'signed as it must be.',
    )
    .action(rollback);
}
