import type { Command } from 'commander';
import { TIER_NAMES, type TierName } from '#trust';
import { CliError, EXIT } from './shared/exit.ts';
import {
  giveOverride,
  makeOverride,
  type OverrideOptions,
  type Target,
  targetOf,
  tell,
  withOverrideOptions,
} from './shared/override.ts';
import { parseSpan } from './shared/span.ts';

interface PinOptions extends OverrideOptions {
  readonly tier?: string;
  readonly ttl?: string;
  readonly incident?: boolean;
}

const TTL_MS = 86_400_000;

function tierOf({ tier, incident }: PinOptions): TierName {
  if (incident === true && tier === undefined) return 'denied';
  const known = TIER_NAMES.find((name) => name === tier);
  if (known !== undefined) return known;
  const found = tier === undefined ? '--tier is missing' : `--tier ${JSON.stringify(tier)}`;
  throw new CliError(EXIT.usage, `${found}: expected one of ${TIER_NAMES.join(', ')}`);
}

/** What raises ends by itself, after a day unless told; what lowers only when told. */
function lasts(options: PinOptions, tier: TierName, { state }: Target): number | null {
  if (options.ttl !== undefined) return parseSpan('--ttl', options.ttl);
  return TIER_NAMES.indexOf(tier) > state.tier ? TTL_MS : null;
}

async function pin(principal: string, options: PinOptions): Promise<void> {
  const target = await targetOf(principal, options);
  const tier = tierOf(options);
  const forMs = lasts(options, tier, target);
  const incident = options.incident === true;
  const what = { verb: 'pin', principal: target.principal, tier, incident } as const;
  const made = makeOverride(options, what);
  const override = { ...made, untilMs: forMs === null ? null : made.timeMs + forMs };
  tell(override, options, await giveOverride(override, target));
}

export function pinVerb(program: Command): void {
  const verb = program
    .command('pin <principal>')
    .description('fix a tier; the score underneath goes on being computed')
    .option('--tier <tier>', TIER_NAMES.join(', '))
    .option('--ttl <span>', 'for how long: up by default 24h, at most 30d; down until it is lifted')
    .option('--incident', 'an incident is confirmed (S20): denied, until a pardon names S20');
  withOverrideOptions(verb)
    .addHelpText(
      'after',
      '\nExamples:\n  $ sudo ./warden pin bob --tier trusted --ttl 4h --reason "on call"\n' +
        '  $ sudo ./warden pin uid:33@web-1 --incident --reason "web shell, SEC-14"',
    )
    .action(pin);
}
