import type { Command } from 'commander';
import {
  giveOverride,
  makeOverride,
  type OverrideOptions,
  targetOf,
  tell,
  withOverrideOptions,
} from './shared/override.ts';
import { parseSpan } from './shared/span.ts';

interface ObserveOptions extends OverrideOptions {
  readonly ttl: string;
}

async function observe(principal: string, options: ObserveOptions): Promise<void> {
  const target = await targetOf(principal, options);
  const forMs = parseSpan('--ttl', options.ttl);
  const made = makeOverride(options, { verb: 'observe', principal: target.principal });
  const override = { ...made, untilMs: made.timeMs + forMs };
  tell(override, options, await giveOverride(override, target));
}

export function observeVerb(program: Command): void {
  const verb = program
    .command('observe <principal>')
    .description('record what would be refused, and refuse nothing, for a while')
    .requiredOption('--ttl <span>', 'for how long, at most 30d');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden observe cilium@web-1 --ttl 7d --reason "new version"',
    )
    .action(observe);
}
