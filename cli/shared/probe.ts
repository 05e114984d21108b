import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

export const LOADER = resolve(import.meta.dirname, '../../bpf/build/warden-load');

/** One kernel hook as `warden-load probe` tried it. */
export interface Hook {
  readonly name: string;
  readonly ok: boolean;
  /** Whether its program was seen to run; null: it can't be provoked, so it was only attached. */
  readonly ran: boolean | null;
  readonly errno: string | null;
  readonly detail: string;
}

export interface Probe {
  readonly kernel: string;
  /** The security modules that are active, separated by commas; null: unknown. */
  readonly lsm: string | null;
  readonly mode: string;
  readonly hooks: readonly Hook[];
}

/** What this kernel allows, found by trying. Null with the reason where it can't be tried. */
export function probeKernel(): { probe: Probe | null; reason: string } {
  const { stdout, stderr, error, status } = spawnSync(LOADER, ['probe', '--json'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (error !== undefined) return { probe: null, reason: error.message };
  try {
    return { probe: JSON.parse(stdout) as Probe, reason: '' };
  } catch {
    return { probe: null, reason: stderr.trim() || `exit code ${status}` };
  }
}
