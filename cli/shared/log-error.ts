import { LogError, type LogErrorCode } from '#log';
import { CliError, EXIT } from './exit.ts';

/** What a verb ends with; null: a mistake of ours, which is told as one. */
const EXITS: Readonly<Record<LogErrorCode, number | null>> = {
  TRIMMED: EXIT.data,
  BEYOND_END: EXIT.data,
  TOO_LARGE: EXIT.data,
  CORRUPT: EXIT.data,
  FOREIGN: EXIT.data,
  NEWER: EXIT.data,
  UNREACHABLE: EXIT.unavailable,
  NO_TOPIC: EXIT.unavailable,
  FULL: EXIT.temporary,
  LOCKED: EXIT.temporary,
  FENCED: EXIT.temporary,
  // The monitor starts services again whose device failed, or that found no memory.
  IO: EXIT.temporary,
  NO_MEMORY: EXIT.temporary,
  READ_ONLY: EXIT.noPermission,
  CANNOT_OPEN: EXIT.noPermission,
  DENIED: EXIT.noPermission,
  BAD_REQUEST: null,
  CLOSED: null,
  INTERNAL: null,
};

/**
 * What a log, a store or the brokers refuse, as the one line that a person reads; `where` says of
 * which file. Anything else stays what it is.
 */
export function asCliError(error: unknown, where?: string): unknown {
  if (!(error instanceof LogError)) return error;
  const code = EXITS[error.code];
  if (code === null) return error;
  const said = where === undefined ? error.message : `${where}: ${error.message}`;
  return new CliError(code, said, { cause: error });
}
