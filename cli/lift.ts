import type { Command } from 'commander';
import { clearInKernel, isLoaded, type RaisingVerb, subjectsHere } from './shared/kernel.ts';
import {
  checkOverride,
  makeOverride,
  type OverrideOptions,
  record,
  targetOf,
  tell,
  withOverrideOptions,
} from './shared/override.ts';

async function lift(principal: string, id: string, options: OverrideOptions): Promise<void> {
  const target = await targetOf(principal, options);
  const override = makeOverride(options, { verb: 'lift', principal: target.principal, lifts: id });
  checkOverride(override, target);
  const active = target.state.overrides.find((one) => one.id === id);
  const subjects = subjectsHere(override, target.policy);
  if (active?.raises && active.kind !== 'adjust' && subjects.length > 0) {
    if (isLoaded(target.config)) {
      clearInKernel(target.config, active.kind as RaisingVerb, subjects, override);
    }
  }
  await record(override, target);
  tell(override, options);
}

export function liftVerb(program: Command): void {
  const verb = program
    .command('lift <principal> <id>')
    .description('end a pin, an adjustment, an observation or break-glass before its time');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden lift bob 9f31c07a5be2d846 --reason "over"' +
        '\n  ./warden explain bob shows the ids of what is in force',
    )
    .action(lift);
}
