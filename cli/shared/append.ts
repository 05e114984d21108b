import { statSync } from 'node:fs';
import type { Config } from '#config';
import type { Output } from '#log';
import { openSqliteStore } from '#state';
import { CliError, EXIT } from './exit.ts';
import { asCliError } from './log-error.ts';
import { isThere } from './open.ts';

/**
 * Appends records to the local log, beside a running instance or without one. Root does it as the
 * log's owner: a file that root makes beside it would keep the services out. Throws `CliError`.
 */
export async function appendRecords(config: Config, outputs: readonly Output[]): Promise<void> {
  const { database } = config;
  if (!isThere(database)) {
    const next = 'start with ./warden up, or name the directory with --state';
    throw new CliError(EXIT.unavailable, `${database}: no log here: ${next}`);
  }
  const { uid, gid } = statSync(database);
  const giveBack = become(uid, gid);
  try {
    const store = await openSqliteStore(database);
    try {
      await store.commit({ outputs, state: [], position: [] });
    } finally {
      await store.close();
    }
  } catch (error) {
    throw asCliError(error, database);
  } finally {
    giveBack();
  }
}

/** Takes another identity for a while, as only root can; returns the way back. */
function become(uid: number, gid: number): () => void {
  const { geteuid, getegid, seteuid, setegid } = process;
  if (geteuid?.() !== 0 || uid === 0) return () => undefined;
  const group = getegid?.() ?? 0;
  setegid?.(gid);
  seteuid?.(uid);
  return () => {
    seteuid?.(0);
    setegid?.(group);
  };
}
