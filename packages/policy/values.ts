/** Texts of a policy file as values, and back. Shapes are checked before. */
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Largest uid that is one: 2^32 - 1 means none. */
export const UID_MAX = 4_294_967_294;
export const HALF_LIFE_LIMIT_MS = 365 * DAY_MS;

/** `10000-59999` */
export function parseRange(text: string): { readonly first: number; readonly last: number } {
  const [first, last] = text.split('-');
  return { first: Number(first), last: Number(last) };
}

/** `14d` or `12h` to ms. */
export function parseDuration(text: string): number {
  return Number(text.slice(0, -1)) * (text.endsWith('d') ? DAY_MS : HOUR_MS);
}

export function formatDuration(ms: number): string {
  return ms % DAY_MS === 0 ? `${ms / DAY_MS}d` : `${ms / HOUR_MS}h`;
}

const MINUTE_MS = 60_000;
export const REFLEX_LIMIT_MS = DAY_MS;

/** `90s`, `10m` or `2h` to ms. */
export function parseShort(text: string): number {
  const unit = { s: 1000, m: MINUTE_MS, h: HOUR_MS }[text.slice(-1)] ?? 0;
  return Number(text.slice(0, -1)) * unit;
}

export function formatShort(ms: number): string {
  if (ms % HOUR_MS === 0) return `${ms / HOUR_MS}h`;
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS}m` : `${ms / 1000}s`;
}

/** `deny`, `keep`, `keep 24h` or `keep 7d` to how long, in ms. */
export function parseKeep(text: string): number {
  if (text === 'deny') return 0;
  if (text === 'keep') return Number.POSITIVE_INFINITY;
  const length = text.slice('keep '.length);
  return length.endsWith('d') ? parseDuration(length) : parseShort(length);
}

export function formatKeep(ms: number): string {
  if (ms === 0) return 'deny';
  if (ms === Number.POSITIVE_INFINITY) return 'keep';
  return `keep ${ms % DAY_MS === 0 ? formatDuration(ms) : formatShort(ms)}`;
}

/** What is not said: a content that the policy names is no other, a path says only where. */
export function usualKeep(sha256: readonly string[]): number {
  return sha256.length > 0 ? 0 : Number.POSITIVE_INFINITY;
}

/** `07:30` to minutes. */
export function parseTime(text: string): number {
  return Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
}

export function formatTimeOfDay(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** `+01:00` to minutes. */
export function parseOffset(text: string): number {
  const minutes = parseTime(text.slice(1));
  return text.startsWith('-') && minutes > 0 ? -minutes : minutes;
}

export function formatOffset(minutes: number): string {
  return `${minutes < 0 ? '-' : '+'}${formatTimeOfDay(Math.abs(minutes))}`;
}

/** Order by code unit, the same in every locale. */
export function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** `10%` to permille. */
export function parsePercent(text: string): number {
  return Number(text.slice(0, -1)) * 10;
}

export function formatPercent(permille: number): string {
  return `${permille / 10}%`;
}

/** `2026-11-23T20:00Z` to ms since 1970; NaN for a day that does not exist. */
export function parseInstant(text: string): number {
  const ms = Date.parse(text);
  return formatInstant(ms) === text ? ms : Number.NaN;
}

export function formatInstant(ms: number): string {
  return Number.isNaN(ms) ? '' : `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
