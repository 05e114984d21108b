import { CommanderError } from 'commander';
import { ConfigError } from '#config';
import { safeText } from '#event';
import { CliError, EXIT } from './exit.ts';

/** The one line that a failure prints, and its exit code. */
export function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    process.stderr.write(`warden: ${error.message.split('\n').map(safeText).join('\n')}\n`);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    process.stderr.write(`warden: ${safeText(error.message)}\n`);
    return EXIT.config;
  }
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.ok;
  process.stderr.write(
    `warden: unexpected: ${safeText((error as Error).stack ?? String(error))}\n`,
  );
  // The monitor starts services again that failed for a reason nobody foresaw.
  return process.env.WARDEN_SERVICE === undefined ? EXIT.software : EXIT.temporary;
}
