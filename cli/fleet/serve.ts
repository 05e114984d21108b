import { LogError } from '#log';
import { CliError, EXIT } from '../shared/exit.ts';

/** Resolves at SIGINT or SIGTERM; a second one ends the process where it is. */
export function untilAsked(): Promise<void> {
  const asked = Promise.withResolvers<void>();
  let before = false;
  const hear = () => {
    if (before) process.exit(EXIT.temporary);
    before = true;
    asked.resolve();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, hear);
  return asked.promise;
}

/** What servers refuse, as the one line that a person reads. */
export function asCliError(error: unknown): unknown {
  if (!(error instanceof LogError)) return error;
  const codes: Partial<Record<LogError['code'], number>> = {
    DENIED: EXIT.noPermission,
    NO_TOPIC: EXIT.unavailable,
    UNREACHABLE: EXIT.unavailable,
  };
  return new CliError(codes[error.code] ?? EXIT.data, error.message, { cause: error });
}
