import { statSync } from 'node:fs';
import { type Config, type RawOptions, readConfig } from '#config';
import { openSqliteStore, type Store } from '#state';
import { CliError, EXIT } from './exit.ts';
import { asCliError } from './log-error.ts';

/** Settings of a verb, from its options and the environment. */
export function configOf(options: RawOptions): Config {
  return readConfig(options, process.env);
}

/** Reads the local log, and closes it whatever happens. Throws `CliError`. */
export async function withLog<T>(config: Config, run: (store: Store) => Promise<T>): Promise<T> {
  const store = await openLog(config);
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

/** Whether a file is there. Throws `CliError` where that is not for us to know. */
export function isThere(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    if (code !== 'EACCES') throw new CliError(EXIT.unavailable, message, { cause: error });
    throw new CliError(EXIT.noPermission, `${file}: no permission: run it as root`, {
      cause: error,
    });
  }
}

/** The local log, to read beside a running instance or without one. Throws `CliError`. */
export async function openLog(config: Config): Promise<Store> {
  const { database } = config;
  if (!isThere(database)) {
    const next = 'start with ./warden up, or name the directory with --state';
    throw new CliError(EXIT.unavailable, `${database}: no log here: ${next}`);
  }
  try {
    return await openSqliteStore(database, { readOnly: true });
  } catch (error) {
    throw asCliError(error, database);
  }
}
