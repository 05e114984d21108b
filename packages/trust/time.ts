/** Time is milliseconds since 1970, always an argument. Days are UTC days. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
/** The last time that `Date` can hold; stored times and days are at most this. */
export const TIME_MAX_MS = 8_640_000_000_000_000;

/** UTC day number, 0 on 1970-01-01. */
export function dayOf(tMs: number): number {
  return Math.floor(tMs / DAY_MS);
}

/** First millisecond of a UTC day. */
export function dayStart(day: number): number {
  return day * DAY_MS;
}

/**
 * When an event counts: its own time, not after the log took it in (a host's clock may run ahead)
 * and never before what the state has seen. The state wins where the log's clock itself went back.
 */
export function effectiveTime(eventTimeMs: number, stateMs: number, appendedMs: number): number {
  return Math.max(stateMs, Math.min(eventTimeMs, appendedMs));
}

/**
 * Smallest integer t in [lo, hi] for which `holds(t)`, null when not even `holds(hi)`.
 * `holds` must be monotone: once true, true from there on. About log2(hi - lo) calls.
 */
export function firstTime(lo: number, hi: number, holds: (tMs: number) => boolean): number | null {
  if (holds(lo)) return lo;
  if (hi <= lo || !holds(hi)) return null;
  let no = lo;
  let yes = hi;
  while (yes - no > 1) {
    const middle = no + Math.floor((yes - no) / 2);
    if (holds(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}
