import { CliError, EXIT } from './exit.ts';

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SPAN_MAX_MS = 400 * 86_400_000;

/** `90s`, `15m`, `24h` or `30d` in ms. Throws `CliError` usage; `option` is for the message. */
export function parseSpan(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(digits) * (UNITS[unit ?? ''] ?? Number.NaN);
  if (ms > 0 && ms <= SPAN_MAX_MS) return ms;
  const expected = 'a number with s, m, h or d, such as 15m, up to 400d';
  throw new CliError(EXIT.usage, `${option} ${JSON.stringify(text)}: expected ${expected}`);
}

/** `15m`, in the largest unit that divides it. */
export function formatSpan(ms: number): string {
  for (const unit of ['d', 'h', 'm']) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.ceil(ms / 1000)}s`;
}

/** An instant such as `2026-11-23T09:14Z` or `2026-11-23`, in ms. Throws `CliError` usage. */
export function parseInstant(option: string, text: string): number {
  const isInstant = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isInstant ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const expected = 'a time such as 2026-11-23T09:14Z, or a day';
  throw new CliError(EXIT.usage, `${option} ${JSON.stringify(text)}: expected ${expected}`);
}
