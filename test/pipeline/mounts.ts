import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A reason to skip, false where file systems can be mounted. */
export const needsRoot = process.getuid?.() === 0 ? false : 'needs root to mount a file system';

export interface Mounted {
  readonly path: string;
  readOnly(): void;
  unmount(): void;
}

/** A file system of `kibibytes` in memory. */
export function mountSmall(kibibytes: number): Mounted {
  const path = mkdtempSync(join(tmpdir(), 'warden-mount-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', path]);
  return {
    path,
    readOnly: () => void execFileSync('mount', ['-o', 'remount,ro', path]),
    unmount: () => {
      execFileSync('umount', [path]);
      rmdirSync(path);
    },
  };
}
