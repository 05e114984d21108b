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
import { parseSpan } from './shared/span.ts';

interface AdjustOptions extends OverrideOptions {
  readonly factor: string;
  readonly ttl?: string;
}

/** 0 to 2 with up to three decimals, as permille. */
function permilleOf(text: string): number {
  const factor = /^\d(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (factor >= 0 && factor <= 2) return Math.round(factor * 1000);
  const expected = 'a number from 0 to 2, such as 0.5';
  throw new CliError(EXIT.usage, `--factor ${JSON.stringify(text)}: expected ${expected}`);
}

async function adjust(principal: string, options: AdjustOptions): Promise<void> {
  const target = await targetOf(principal, options);
  const permille = permilleOf(options.factor);
  const made = makeOverride(options, { verb: 'adjust', principal: target.principal, permille });
  const forMs = options.ttl === undefined ? null : parseSpan('--ttl', options.ttl);
  const override = { ...made, untilMs: forMs === null ? null : made.timeMs + forMs };
  tell(override, options, await giveOverride(override, target));
}

export function adjustVerb(program: Command): void {
  const verb = program
    .command('adjust <principal>')
    .description('count evidence for less, or for more')
    .requiredOption('--factor <number>', '0 to 2; below 1 it needs an end')
    .option('--ttl <span>', 'for how long, at most 30d below 1; above 1 until it is lifted');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden adjust bob --factor 0.5 --ttl 14d --reason "tests a tracer"',
    )
    .action(adjust);
}
