import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A place of a test's own: run and state directory, gone with `remove`. */
export interface Placed {
  readonly root: string;
  readonly run: string;
  readonly state: string;
  readonly database: string;
  remove(): void;
}

export function place(name: string): Placed {
  const root = mkdtempSync(join(tmpdir(), `warden-${name}-`));
  // The services' user must be able to pass through.
  chmodSync(root, 0o711);
  const run = join(root, 'run');
  mkdirSync(run, { mode: 0o755 });
  const state = join(root, 'state');
  return {
    root,
    run,
    state,
    database: join(state, 'warden.db'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
