import { closeSync, existsSync, fsyncSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Moves a store's file that cannot be read out of the way, with its -wal and -shm, to
 * `FILE.damaged-20261123T091407123Z`, and returns that name. Nothing is deleted: what can still be
 * read is evidence. All connections must be closed.
 */
export function setAside(file: string, nowMs: number = Date.now()): string {
  const target = freeName(file, nowMs);
  // The file first: SQLite ignores a -wal without its file, but a file without its -wal has lost
  // commits.
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(file + suffix)) renameSync(file + suffix, target + suffix);
  }
  const directory = openSync(dirname(file), 'r');
  fsyncSync(directory);
  closeSync(directory);
  return target;
}

function freeName(file: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:.]/g, '');
  for (let n = 0; ; n++) {
    const name = `${file}.damaged-${stamp}${n === 0 ? '' : `-${n}`}`;
    if (!existsSync(name)) return name;
  }
}
