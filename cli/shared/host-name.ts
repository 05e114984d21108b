import { EventError, type HostName, hostName } from '#event';
import { CliError, EXIT } from './exit.ts';

/** A host's name as somebody typed it; `what` says where. Throws `CliError`. */
export function parseHostName(text: string, what = 'host name'): HostName {
  try {
    return hostName(text);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const wanted = 'expected a-z, 0-9, dots and dashes';
    throw new CliError(EXIT.usage, `${what} ${JSON.stringify(text)}: ${wanted}`, { cause: error });
  }
}
