import { healthAddress, type RawFleetOptions } from '#config';
import { LogError } from '#log';
import { type Health, serveHealth } from '#telemetry';
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

/** Says how a service is, where it was asked to. Returns how to stop. */
export async function sayHealth(
  options: RawFleetOptions,
  ask: () => Health | Promise<Health>,
): Promise<() => Promise<void>> {
  const address = healthAddress(options, process.env);
  if (address === null) return async () => undefined;
  try {
    const server = await serveHealth(address, ask);
    return () => server.close();
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.unavailable, `health: ${message}`, { cause: error });
  }
}
