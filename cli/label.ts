import type { Command } from 'commander';
import { CliError, EXIT } from './shared/exit.ts';
import {
  giveOverride,
  makeOverride,
  type OverrideOptions,
  targetOf,
  tell,
  withOverrideOptions,
} from './shared/override.ts';
import { parseInstant } from './shared/span.ts';

interface LabelOptions extends OverrideOptions {
  readonly from: string;
  readonly to?: string;
  readonly verdict: string;
}

async function label(principal: string, options: LabelOptions): Promise<void> {
  const { verdict } = options;
  if (verdict !== 'tp' && verdict !== 'fp') {
    const expected = 'tp (an incident) or fp (a false alarm)';
    throw new CliError(EXIT.usage, `--verdict ${JSON.stringify(verdict)}: expected ${expected}`);
  }
  const target = await targetOf(principal, options);
  const fromMs = parseInstant('--from', options.from);
  const toMs = options.to === undefined ? Date.now() : parseInstant('--to', options.to);
  if (toMs <= fromMs) throw new CliError(EXIT.usage, '--to must be later than --from');
  const what = { verb: 'label', principal: target.principal, label: verdict } as const;
  const override = makeOverride(options, { ...what, fromMs, toMs });
  await giveOverride(override, target);
  tell(override, options);
}

export function labelVerb(program: Command): void {
  const verb = program
    .command('label <principal>')
    .description('say what really happened: the truth that back-tests are judged by')
    .requiredOption('--from <time>', 'its begin, such as 2026-11-23T09:14Z')
    .option('--to <time>', 'its end, by default now')
    .requiredOption('--verdict <verdict>', 'tp: an incident; fp: a false alarm');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n' +
        '  $ sudo ./warden label bob --from 2026-11-23T09:00Z --verdict fp --reason "a demo"',
    )
    .action(label);
}
