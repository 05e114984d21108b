import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

function parentOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It ended meanwhile.
    return null;
  }
}

/** Pids of all living descendants of a process. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(entry);
    if (parent === null) continue;
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const own = children.get(next) ?? [];
    found.push(...own);
    queue.push(...own);
  }
  return found;
}

/** Sends `signal` to processes of ours that may have ended already. */
export function killTree(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/**
 * How long the first thread of a process has stood in line for a processor, ms: what of a time is
 * the machine's (`/proc/PID/schedstat`, Documentation/scheduler/sched-stats).
 */
export function queuedMs(pid: number | 'self' = 'self'): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
}

/** How much slower than usual this machine is: WARDEN_PATIENCE, for emulated ones. */
const patience = Number(process.env.WARDEN_PATIENCE ?? 1);

const PAUSE_MS = 20;

/**
 * Waits until `check` gives something, for at least as long as it takes to ask: what is waited for
 * may need the same processor. Throws after `timeoutMs`, naming `what`: by default so late
 * that it only guards against waiting for ever.
 */
export async function waitFor<T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const end = Date.now() + timeoutMs * patience;
  for (;;) {
    const askedMs = Date.now();
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found as T;
    if (Date.now() > end) throw new Error(`${timeoutMs} ms passed without ${what}`);
    await sleep(Math.max(PAUSE_MS, Date.now() - askedMs));
  }
}
