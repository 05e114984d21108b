import type { Command } from 'commander';
import { type FleetOptions, withKafka, withService } from './fleet/options.ts';
import { asCliError } from './shared/log-error.ts';

async function enricher(options: FleetOptions): Promise<void> {
  try {
    const { serveEnricher } = await import('./fleet/enricher.ts');
    await serveEnricher(options);
  } catch (error) {
    throw asCliError(error);
  }
}

export function enricherVerb(program: Command): void {
  const command = program
    .command('enricher')
    .description('fold the events of a fleet: join them with trust, score, and tell the hosts')
    .option('--redis <address>', 'HOST:PORT of the view of the state (WARDEN_REDIS)');
  withService(withKafka(command))
    .addHelpText(
      'after',
      '\nIt reads fleet.key and control.key in the state directory (./warden host makes them),\n' +
        'and shares the partitions out with all others that run.\n' +
        '\nExample:\n  $ ./warden enricher --kafka kafka-1:9092 --redis redis-1:6379\n',
    )
    .action(enricher);
}
