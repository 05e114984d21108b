import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the watchdog of warden-load wrote down last: `DIR/guard.json`. */
export interface GuardState {
  readonly runs: boolean;
  /** Names of what is wrong: canary, ftrace, links, pins, hidden, stopped, frozen. */
  readonly wrong: readonly string[];
  /** Since the last look, which is due each second. */
  readonly ageMs: number;
}

/** Looks are missed on a busy machine. */
const STALE_MS = 10_000;
const TEXTS: Readonly<Record<string, string>> = {
  canary: 'the programs do not see a call',
  ftrace: 'ftrace_enabled is 0',
  links: 'a link has lost its program',
  pins: 'pins are gone',
  hidden: 'its pins are not where they were mounted: services would start with others',
  stopped: 'its services are stopped (SIGSTOP): nothing is recorded until they go on',
  frozen: 'its services are frozen by their cgroup: nothing is recorded until they go on',
};

/** Null when nothing was ever watched there, or what is there can't be read. */
export function guardState(runDir: string): GuardState | null {
  const file = join(runDir, 'guard.json');
  try {
    const { schema, runs, wrong } = JSON.parse(readFileSync(file, 'utf8'));
    if (schema !== 'warden.guard/1' || !Array.isArray(wrong)) return null;
    // Ahead of a clock that was set back it is of no age that we know: nobody has looked since.
    const ageMs = Math.abs(Date.now() - statSync(file).mtimeMs);
    return { runs: runs === true, wrong: wrong.map(String), ageMs };
  } catch {
    return null;
  }
}

/** What a person must know of it; null when all is well, or nothing is loaded. */
export function guardTrouble(state: GuardState | null): string | null {
  if (state === null) return null;
  const why = state.wrong.map((name) => TEXTS[name] ?? name).join('; ');
  if (!state.runs) return `the guard does not run: ${why}`;
  if (state.ageMs > STALE_MS) {
    return `nobody has looked at it for ${Math.round(state.ageMs / 1000)} s: no monitor runs`;
  }
  if (why === '') return null;
  return state.wrong.includes('pins') ? `the guard is not held: ${why}` : `the guard runs: ${why}`;
}

/** A loader's file that is not what the policy was applied to: `DIR/changes.json`. */
export interface ChangedFile {
  readonly loader: string;
  readonly path: string;
  /** kept, denied, ended or gone. */
  readonly state: string;
}

/** None when nobody looked, or what is there can't be read. */
export function changedFiles(runDir: string): readonly ChangedFile[] {
  try {
    const { schema, files } = JSON.parse(readFileSync(join(runDir, 'changes.json'), 'utf8'));
    return schema === 'warden.changes/1' && Array.isArray(files) ? files : [];
  } catch {
    return [];
  }
}
