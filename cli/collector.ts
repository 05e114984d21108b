import type { Command } from 'commander';
import { kafkaConfig } from '#config';
import { type FleetOptions, withKafka, withService } from './fleet/options.ts';
import { asCliError } from './fleet/serve.ts';
import { launch } from './shared/launch.ts';
import { configOf } from './shared/open.ts';

interface CollectorOptions extends FleetOptions {
  readonly keep?: boolean;
  readonly enforce?: boolean;
}

async function collector(options: CollectorOptions): Promise<void> {
  const config = configOf(options);
  if (process.env.WARDEN_SERVICE === 'agent') {
    const { serveAgent } = await import('./fleet/agent.ts');
    await serveAgent(config).catch((error) => {
      throw asCliError(error);
    });
    return;
  }
  // Asked now, so that a mistake is said before anything is loaded.
  kafkaConfig(options, process.env, 'warden-host');
  const { kafka, fleet, health } = options;
  launch(config, {
    keep: options.keep === true,
    verb: 'collector',
    service: 'agent',
    environment: {
      ...(kafka !== undefined && { WARDEN_KAFKA: kafka }),
      ...(fleet !== undefined && { WARDEN_FLEET: fleet }),
      ...(health !== undefined && { WARDEN_HEALTH: health }),
    },
  });
}

export function collectorVerb(program: Command): void {
  const command = program
    .command('collector')
    .description('a host of a fleet: record, forward to Kafka, and follow the tiers (as root)')
    .option('--keep', 'leave the programs attached at the end: nothing goes unrecorded meanwhile')
    .option('--enforce', 'mode enforce, whatever the policy says (WARDEN_ENFORCE=1)');
  withService(withKafka(command))
    .addHelpText(
      'after',
      '\nIts key, host.key in the state directory, is made by ./warden host enroll.\n' +
        'While Kafka is away events stay here, and the kernel goes on deciding.\n' +
        '\nExample:\n  $ sudo ./warden collector --kafka kafka-1:9092\n',
    )
    .action(collector);
}
