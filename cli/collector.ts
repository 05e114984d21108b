import type { Command } from 'commander';
import { kafkaConfig, openSigningKey } from '#config';
import { type FleetOptions, withKafka, withService } from './fleet/options.ts';
import { launch } from './shared/launch.ts';
import { configOf } from './shared/open.ts';

/**
 * An agent has little to do and should take little: a small nursery is emptied often and cheaply,
 * and one helper thread does for compiling and collecting (measured: docs/internals/cost.md).
 */
const NODE_FLAGS = ['--max-semi-space-size=2', '--v8-pool-size=1'];

interface CollectorOptions extends FleetOptions {
  readonly keep?: boolean;
  readonly enforce?: boolean;
}

function collector(options: CollectorOptions): void {
  const config = configOf(options);
  // Asked now, so that a mistake is said before anything is loaded.
  kafkaConfig(options, process.env, 'warden-host');
  openSigningKey(config.stateDir);
  const { kafka, fleet, health } = options;
  launch(config, {
    keep: options.keep === true,
    entry: ['cli/service.mjs'],
    service: 'agent',
    nodeFlags: NODE_FLAGS,
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
      '\nIts keys in the state directory, host.key and sign.key, are of ./warden host enroll.\n' +
        'While Kafka is away events stay here, and the kernel goes on deciding.\n' +
        '\nExample:\n  $ sudo ./warden collector --kafka kafka-1:9092\n',
    )
    .action(collector);
}
