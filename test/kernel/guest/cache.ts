import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where kernels and images are kept between runs. */
export const CACHE = process.env.WARDEN_GUEST_CACHE ?? '/var/cache/bpf-warden/guest';
const LOCK_WAIT_MS = 600_000;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Takes a lock file; one whose owner is gone is taken over. */
function take(path: string): boolean {
  try {
    const fd = openSync(path, 'wx');
    writeSync(fd, String(process.pid));
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const owner = Number(readFileSync(path, 'utf8'));
  if (owner > 0 && !isAlive(owner)) rmSync(path, { force: true });
  return false;
}

/** Runs `action` while no other process does so under this lock. */
export async function locked(path: string, action: () => void): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const end = Date.now() + LOCK_WAIT_MS;
  while (!take(path)) {
    if (Date.now() > end) throw new Error(`${path}: held for ten minutes: remove it if nobody is`);
    await sleep(200);
  }
  try {
    action();
  } finally {
    rmSync(path, { force: true });
  }
}

function addFile(hash: Hash, path: string): void {
  const stat = lstatSync(path);
  hash.update(`${path} ${stat.mode} ${stat.size}\0`);
  if (stat.isFile()) hash.update(readFileSync(path));
}

/** Files below `path`, sorted; a file is itself. */
export function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => {
      const inner = join(path, name);
      return lstatSync(inner).isDirectory() ? filesBelow(inner) : [inner];
    });
}

/** A short name for the content of these files and texts. */
export function contentName(files: readonly string[], ...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text}\0`);
  for (const file of files) addFile(hash, file);
  return hash.digest('hex').slice(0, 16);
}

/** Removes what older content left behind, all but the newest few of a kind. */
export function removeOld(directory: string, prefix: string, keep: number): void {
  const entries = readdirSync(directory)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ path: join(directory, name), at: statSync(join(directory, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of entries.slice(keep)) rmSync(path, { recursive: true, force: true });
}
