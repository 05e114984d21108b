import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * Waits for the end of a service's work and closes it. What ended the work comes first: it is
 * thrown, whatever closing says. Where closing takes longer than `limitMs` it is handed back
 * instead, as `cause`, null where nothing failed: then the process is to be ended.
 */
export async function closeAfter(
  work: Promise<unknown>,
  close: () => Promise<unknown>,
  limitMs: number,
): Promise<{ readonly cause: unknown } | null> {
  const failed = await work.then(
    () => null,
    (cause: unknown) => ({ cause }),
  );
  // The limit's timer keeps the process: what closes may for a while hold nothing that does.
  const over = new AbortController();
  const closed = close().then(
    () => true,
    (cause: unknown) => {
      if (failed === null) throw cause;
      return true;
    },
  );
  const late = sleep(limitMs, false, { signal: over.signal }).catch(() => true);
  try {
    if (!(await Promise.race([closed, late]))) return failed ?? { cause: null };
  } finally {
    over.abort();
  }
  if (failed !== null) throw failed.cause;
  return null;
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
