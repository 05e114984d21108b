import type { Command } from 'commander';
import {
  giveOverride,
  makeOverride,
  type OverrideOptions,
  targetOf,
  tell,
  withOverrideOptions,
} from './shared/override.ts';

interface PardonOptions extends OverrideOptions {
  readonly signals?: string;
  readonly now?: boolean;
}

async function pardon(principal: string, options: PardonOptions): Promise<void> {
  const target = await targetOf(principal, options);
  const signals = options.signals?.split(',').map((id) => id.trim()) ?? [];
  const now = options.now === true;
  const what = { verb: 'pardon', principal: target.principal, signals, now } as const;
  const override = makeOverride(options, what);
  await giveOverride(override, target);
  tell(override, options);
}

export function pardonVerb(program: Command): void {
  const verb = program
    .command('pardon <principal>')
    .description('forgive: take the mass of signals away; the tier rises by its dwell')
    .option('--signals <ids>', 'only these, such as S03,S07; S20 ends an incident; default: all')
    .option('--now', 'without dwell: as far as trust reaches, at once');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden pardon bob --signals S03 --reason "a demo" --ticket SEC-12',
    )
    .action(pardon);
}
