import { parseInstant } from '../values.ts';
import type { CaseFile, StepFile } from './file.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DAY_MS = 86_400_000;

/** Day 1 of a story that names no other: a Monday. */
const START = '2026-01-05';
/** Occurrences of all steps of a case. */
export const OCCURRENCES_MAX = 100_000;

/** Midnight of day 1, ms since 1970; NaN for a day that does not exist. */
export function startOf({ start = START }: Pick<CaseFile, 'start'>): number {
  return parseInstant(`${start}T00:00Z`);
}

/** `10m` to ms. */
export function spanMs(text: string): number {
  return Number(text.slice(0, -1)) * (UNIT_MS[text.slice(-1)] as number);
}

/** `10m x20` */
export function parseEvery(text: string): { readonly gapMs: number; readonly times: number } {
  const [gap = '', times = ''] = text.split(' x');
  return { gapMs: spanMs(gap), times: Number(times) };
}

/** `day 3 09:00`, `+10m` or `2026-01-07T09:00Z`; NaN for a day that does not exist. */
function timeOf(at: string | undefined, startMs: number, beforeMs: number): number {
  if (at === undefined) return beforeMs;
  if (at.startsWith('+')) return beforeMs + spanMs(at.slice(1));
  if (!at.startsWith('day ')) return parseInstant(at);
  const [, day = '', clock = '00:00'] = at.split(' ');
  const [hours, minutes, seconds = 0] = clock.split(':').map(Number) as [number, number, number?];
  return startMs + (Number(day) - 1) * DAY_MS + (hours * 3600 + minutes * 60 + seconds) * 1000;
}

/** A step at one of its times. */
export interface Occurrence {
  readonly tMs: number;
  readonly step: number;
  /** What is expected of the step as a whole is expected after this one. */
  readonly last: boolean;
}

/**
 * Everything that happens, in order of time; what falls together in the order of the file. `+10m`
 * counts from the step before, from the last of its times if it has many.
 */
export function occurrences(
  story: readonly Pick<StepFile, 'at' | 'every'>[],
  startMs: number,
): readonly Occurrence[] {
  const all: Occurrence[] = [];
  let beforeMs = startMs;
  for (const [step, { at, every }] of story.entries()) {
    const firstMs = timeOf(at, startMs, beforeMs);
    const { gapMs, times } = every === undefined ? { gapMs: 0, times: 1 } : parseEvery(every);
    const room = OCCURRENCES_MAX + 1 - all.length;
    for (let n = 0; n < Math.min(times, room); n++) {
      all.push({ tMs: firstMs + n * gapMs, step, last: n === times - 1 });
    }
    beforeMs = firstMs + (times - 1) * gapMs;
  }
  return all.toSorted((a, b) => a.tMs - b.tMs);
}

/** `day 3 09:00`, counted as the story counts. */
export function formatStoryTime(tMs: number, startMs: number): string {
  const day = Math.floor((tMs - startMs) / DAY_MS);
  const clock = new Date(tMs - startMs - day * DAY_MS).toISOString();
  const seconds = clock.slice(17, 19) === '00' ? '' : clock.slice(16, 19);
  return `day ${day + 1} ${clock.slice(11, 16)}${seconds}`;
}
