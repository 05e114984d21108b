import { PROGRAM_TYPES } from '#event';
import { dayOf } from './time.ts';

/** What a principal's state remembers of its acts, apart from the evidence itself. */
export interface HostSeen {
  /** FNV-1a of the host's name, 32 bits: a collision hides one low-confidence signal, no more. */
  readonly hash: number;
  /** UTC day of the last act there. */
  readonly day: number;
}

export const HOSTS_MAX = 128;

/** A type of programs, and the UTC day on which the principal last loaded one. */
export interface ClassSeen {
  /** See `ProgramClass`. */
  readonly index: number;
  readonly day: number;
}

export const CLASSES_MAX = 64;

/** Counter of one burst signal: slots of the window's length, aligned to 1970. */
export interface Window {
  /** Number of the signal. */
  readonly number: number;
  readonly slot: number;
  readonly current: number;
  readonly previous: number;
  /** Already raised in this slot. */
  readonly raised: boolean;
}

export const WINDOWS_MAX = 3;
/** Counts stop here: previous * window length stays far below 2^53. */
const COUNT_MAX = 1_000_000;

export function hostHash(host: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < host.length; i++) {
    hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

export function hasSeen(hosts: readonly HostSeen[], hash: number): boolean {
  return hosts.some((host) => host.hash === hash);
}

function longestUnseen(hosts: readonly HostSeen[]): number {
  let oldest = 0;
  for (let i = 1; i < hosts.length; i++) {
    if ((hosts[i] as HostSeen).day < (hosts[oldest] as HostSeen).day) oldest = i;
  }
  return oldest;
}

/** Hosts sorted by hash with `hash` seen on this day; the same array when that changes nothing. */
export function seeHost(
  hosts: readonly HostSeen[],
  hash: number,
  tMs: number,
): readonly HostSeen[] {
  const day = dayOf(tMs);
  const at = hosts.findIndex((host) => host.hash === hash);
  if (at >= 0) {
    if ((hosts[at] as HostSeen).day === day) return hosts;
    return hosts.with(at, { hash, day });
  }
  const kept = hosts.length < HOSTS_MAX ? hosts : hosts.toSpliced(longestUnseen(hosts), 1);
  const before = kept.filter((host) => host.hash < hash).length;
  return kept.toSpliced(before, 0, { hash, day });
}

export interface BurstCount {
  readonly window: Window;
  readonly raised: boolean;
}

/**
 * Counts `count` acts at `tMs`. Raised when the acts of the last window's length exceed `limit`:
 * this slot's, and the last slot's in proportion to how much of it the window still covers. At most
 * once a slot, and no act is counted for two raises.
 */
export function countBurst(
  window: Window,
  options: { readonly windowMs: number; readonly limit: number; readonly count: number },
  tMs: number,
): BurstCount {
  const slot = Math.floor(tMs / options.windowMs);
  const fresh = slot === window.slot ? window : roll(window, slot);
  const current = Math.min(COUNT_MAX, fresh.current + options.count);
  // The window is (tMs - windowMs, tMs]: so many ms of it lie in the last slot.
  const covered = (slot + 1) * options.windowMs - tMs - 1;
  const carried = Math.floor((fresh.previous * covered) / options.windowMs);
  if (fresh.raised || current + carried <= options.limit) {
    return { window: { ...fresh, current }, raised: false };
  }
  return { window: { ...fresh, current: 0, previous: 0, raised: true }, raised: true };
}

function roll(window: Window, slot: number): Window {
  const previous = slot === window.slot + 1 ? window.current : 0;
  return { number: window.number, slot, current: 0, previous, raised: false };
}

export function windowOf(windows: readonly Window[], number: number): Window {
  const known = windows.find((window) => window.number === number);
  return known ?? { number, slot: 0, current: 0, previous: 0, raised: false };
}

/** Windows sorted by signal number, with `window` in its place. */
export function putWindow(windows: readonly Window[], window: Window): readonly Window[] {
  const at = windows.findIndex(({ number }) => number >= window.number);
  if (at < 0) return [...windows, window];
  return windows.toSpliced(at, windows[at]?.number === window.number ? 1 : 0, window);
}

/** Types of programs that see packets (S10), and those that watch the kernel or programs (S11). */
const NETWORK: ReadonlySet<string> = new Set([
  'SOCKET_FILTER',
  'SCHED_CLS',
  'SCHED_ACT',
  'XDP',
  'SK_SKB',
  'SK_MSG',
  'SK_LOOKUP',
  'NETFILTER',
]);
const TRACING: ReadonlySet<string> = new Set([
  'KPROBE',
  'TRACEPOINT',
  'PERF_EVENT',
  'RAW_TRACEPOINT',
  'RAW_TRACEPOINT_WRITABLE',
  'TRACING',
]);

export interface ProgramClass {
  /** The kernel's number of the program type: it stands in stored states. */
  readonly index: number;
  readonly kind: 'network' | 'tracing';
}

/** The class of a program; null for kinds that no signal is about. */
export function classOf(type: string | null): ProgramClass | null {
  if (type === null || !(NETWORK.has(type) || TRACING.has(type))) return null;
  return { index: PROGRAM_TYPES.indexOf(type), kind: NETWORK.has(type) ? 'network' : 'tracing' };
}

/** Days since a program of this class was last loaded; null when never. */
export function classAge(classes: readonly ClassSeen[], index: number, day: number): number | null {
  const seen = classes.find((one) => one.index === index);
  return seen === undefined ? null : day - seen.day;
}

/** Classes sorted by index with `index` seen on this day; the same array when nothing changes. */
export function seeClass(
  classes: readonly ClassSeen[],
  index: number,
  day: number,
): readonly ClassSeen[] {
  const at = classes.findIndex((one) => one.index >= index);
  const known = at >= 0 && classes[at]?.index === index;
  if (known && classes[at]?.day === day) return classes;
  return classes.toSpliced(at < 0 ? classes.length : at, known ? 1 : 0, { index, day });
}
