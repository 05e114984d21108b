import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from './config.ts';

/** How long to wait for somebody else who writes. */
const LOCK_SECONDS = 10;
/** The descriptor that `flock` finds the lock's file open at. */
const INHERITED = 3;

/**
 * Replaces a register of hosts that several may change at once, whole or not at all, also on the
 * disk. `change`, called when it is locked, reads what the one before has written, and gives what
 * each host is to have. Throws `ConfigError` where somebody keeps the lock, and what `change`
 * throws.
 */
export function replaceRegister(
  file: string,
  { schema, mode }: { readonly schema: string; readonly mode: number },
  change: () => ReadonlyMap<string, unknown>,
): void {
  const lock = lockBeside(file, mode);
  try {
    const hosts = Object.fromEntries([...change()].sort(([a], [b]) => (a < b ? -1 : 1)));
    replace(file, `${JSON.stringify({ schema, hosts }, null, 1)}\n`, mode);
  } finally {
    closeSync(lock);
  }
}

/** What a crash left of another's draft is nobody's: whoever is here has the lock. */
function replace(file: string, text: string, mode: number): void {
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  const fd = openSync(draft, 'wx', mode);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  syncDirectory(dirname(file));
}

/**
 * Opens `FILE.lock`, which stays for ever, and locks it. The lock is the open file's, and ends with
 * whoever has it open: that is this process, however it ends. Node cannot ask for such a lock, so
 * `flock` does, on the file as it inherits it.
 */
function lockBeside(file: string, mode: number): number {
  const path = `${file}.lock`;
  // The directory may belong to the services: root must not follow what they could put here.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const fd = openSync(path, flags, mode);
  const wait = ['--exclusive', '--timeout', `${LOCK_SECONDS}`, `${INHERITED}`];
  const { status, error } = spawnSync('flock', wait, { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (status === 0) return fd;
  closeSync(fd);
  const what =
    error === undefined
      ? `somebody else has been writing for ${LOCK_SECONDS} s`
      : `cannot be locked: ${error.message}: flock is in util-linux`;
  throw new ConfigError(`${path}: ${what}`, { cause: error });
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
