import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from './config.ts';

/** How long to wait for somebody else who writes. */
const LOCK_MS = 10_000;
const LOOK_MS = 20;

const asleep = new Int32Array(new SharedArrayBuffer(4));

/**
 * Replaces a register of hosts that several may change at once, whole or not at all, also on the
 * disk. `FILE.new` is the lock: `change`, called when it is held, reads what the one before has
 * written, and gives what each host is to have. Throws `ConfigError` where somebody keeps the lock,
 * and what `change` throws.
 */
export function replaceRegister(
  file: string,
  { schema, mode }: { readonly schema: string; readonly mode: number },
  change: () => ReadonlyMap<string, unknown>,
): void {
  const fresh = `${file}.new`;
  const fd = lock(fresh, mode);
  try {
    const hosts = Object.fromEntries([...change()].sort(([a], [b]) => (a < b ? -1 : 1)));
    writeFileSync(fd, `${JSON.stringify({ schema, hosts }, null, 1)}\n`);
    fsyncSync(fd);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  syncDirectory(dirname(file));
}

function lock(file: string, mode: number): number {
  for (const endMs = Date.now() + LOCK_MS; ; Atomics.wait(asleep, 0, 0, LOOK_MS)) {
    try {
      return openSync(file, 'wx', mode);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') throw error;
      if (Date.now() < endMs) continue;
      const what = 'somebody else is writing it, or was ended meanwhile';
      throw new ConfigError(`${file}: ${what}: remove it if nobody is`, { cause: error });
    }
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
