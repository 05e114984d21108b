import type { Command } from 'commander';
import type { Config } from '#config';
import { safeText } from '#event';
import { type Change, diffPolicies, hashPolicy, type Policy } from '#policy';
import { colors } from '../shared/colors.ts';
import { displayNames } from '../shared/display.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { configOf, isThere, withLog } from '../shared/open.ts';
import { readPolicy } from '../shared/policy-file.ts';
import { parseSpan } from '../shared/span.ts';
import { type Affected, affectedBy } from './affected.ts';
import { inForce } from './roll-out.ts';

interface DiffOptions {
  readonly inForce?: boolean;
  readonly principals?: boolean;
  readonly since: string;
  readonly json?: boolean;
  readonly state?: string;
}

/** The two policies: two files, or what is in force and a file. Throws `CliError`. */
function twoOf(files: readonly string[], options: DiffOptions, config: Config) {
  const wanted = options.inForce === true ? 1 : 2;
  if (files.length !== wanted) {
    const expected = 'expected OLD and NEW, or --in-force and NEW';
    throw new CliError(EXIT.usage, `${files.length} files: ${expected}`);
  }
  const [first, last] = [files[0] as string, files.at(-1) as string];
  const before = wanted === 1 ? inForce(config).policy : readPolicy(first).policy;
  return { before, after: readPolicy(last).policy };
}

async function affected(
  config: Config,
  policies: { readonly before: Policy; readonly after: Policy },
  span: string,
): Promise<readonly Affected[]> {
  const sinceMs = Date.now() - parseSpan('--since', span);
  if (!isThere(config.database)) {
    const next = 'name the directory with --state';
    throw new CliError(EXIT.unavailable, `${config.database}: no log here: ${next}`);
  }
  return withLog(config, (store) => affectedBy(store, policies, sinceMs));
}

const MARKS: Readonly<Record<Change['kind'], string>> = {
  loses: colors.red('-'),
  gains: colors.green('+'),
  counts: colors.yellow('~'),
  other: ' ',
};

function affectedLine({ principal, what, count }: Affected, since: string): string {
  const times = count === 1 ? 'once' : `${count} times`;
  const name = displayNames()(principal);
  return `${name} would lose ${what} (used ${times} in the last ${since})`;
}

async function diff(files: readonly string[], options: DiffOptions): Promise<void> {
  const config = configOf(options);
  const policies = twoOf(files, options, config);
  const changes = diffPolicies(policies.before, policies.after);
  const people =
    options.principals === true ? await affected(config, policies, options.since) : null;
  if (options.json === true) {
    const [before, after] = [hashPolicy(policies.before), hashPolicy(policies.after)];
    const whole = { before, after, changes, principals: people };
    console.log(JSON.stringify({ schema: 'warden.policy-diff/1', ...whole }));
    return;
  }
  if (changes.length === 0) console.log('no difference: they mean the same');
  for (const { kind, text } of changes) console.log(`${MARKS[kind]} ${safeText(text)}`);
  if (people === null) return;
  console.log(people.length === 0 ? '\nnobody did what they would lose' : '\nin the log:');
  for (const one of people) console.log(safeText(`  ${affectedLine(one, options.since)}`));
}

export function diffVerb(policy: Command): void {
  policy
    .command('diff <files...>')
    .description('what would change from one policy to another, in words')
    .option('--in-force', 'the policy of this host is the old one')
    .option('--principals', 'name those in the log who use what they would lose')
    .option('--since <span>', 'how far back in the log', '30d')
    .option('--json', 'one object, as JSON (schema warden.policy-diff/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden policy diff old.yaml new.yaml\n' +
        '  $ sudo ./warden policy diff --in-force --principals new.yaml',
    )
    .action(diff);
}
