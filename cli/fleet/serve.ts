import { healthAddress, type RawFleetOptions } from '#config';
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
