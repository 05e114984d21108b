import type { ChainErrorCode } from '#chain';
import { frameMac, genesis, MAC_BYTES, openFrame } from '#chain';
import { decode, encode, type Frame, hostName, incarnation, lane } from '#event';
import type { Random } from '../../contract/random.ts';
import type { Sealed, Writers } from './lanes.ts';

/** A changed log, and the first finding that it must give; null when the change is harmless. */
export interface Mutated {
  readonly log: readonly Sealed[];
  readonly expected: { readonly offset: number; readonly codes: readonly ChainErrorCode[] } | null;
  /** Offset of a repeat, which must be reported as one. */
  readonly duplicate?: number;
}

export type Mutate = (random: Random, log: readonly Sealed[], writers: Writers) => Mutated;

const FORGED: readonly ChainErrorCode[] = ['BAD_FRAME', 'UNKNOWN_HOST_KEY', 'BAD_MAC'];

function replace(log: readonly Sealed[], at: number, change: Partial<Sealed>): Sealed[] {
  return log.map((frame, offset) => (offset === at ? { ...frame, ...change } : frame));
}

/**
 * Where frames that are whole, but not all there or not in their order, first show: told from what
 * the test knows of them, without reading any.
 */
export function firstMisplaced(log: readonly Sealed[], whole: readonly Sealed[]): Mutated {
  const next = new Map<string, number>();
  const seen = new Set<string>();
  for (const [offset, { chain, first, count }] of log.entries()) {
    const at = next.get(chain) ?? 0;
    if (first > at) return { log, expected: { offset, codes: ['SEQUENCE_GAP'] } };
    if (seen.has(`${chain}/${first}`)) continue;
    seen.add(`${chain}/${first}`);
    next.set(chain, first + count);
  }
  const short = whole.some(({ chain, first }) => (next.get(chain) ?? 0) <= first);
  return { log, expected: short ? { offset: log.length, codes: ['TRUNCATED'] } : null };
}

export function flipBit(random: Random, log: readonly Sealed[]): Mutated {
  const at = random.below(log.length);
  const value = Buffer.from((log[at] as Sealed).value);
  const bit = random.below(value.length * 8);
  value[bit >> 3] = (value[bit >> 3] as number) ^ (1 << (bit & 7));
  return { log: replace(log, at, { value }), expected: { offset: at, codes: FORGED } };
}

function cutFrame(random: Random, log: readonly Sealed[]): Mutated {
  const at = random.below(log.length);
  const { value } = log[at] as Sealed;
  const kept = random.below(value.length);
  const cut = random.below(2) === 0 ? value.subarray(0, kept) : value.subarray(value.length - kept);
  return { log: replace(log, at, { value: cut }), expected: { offset: at, codes: FORGED } };
}

function drop(random: Random, log: readonly Sealed[]): Mutated {
  const at = random.below(log.length);
  return firstMisplaced(log.toSpliced(at, 1 + random.below(3)), log);
}

function truncate(random: Random, log: readonly Sealed[]): Mutated {
  return firstMisplaced(log.slice(0, random.below(log.length)), log);
}

function reorder(random: Random, log: readonly Sealed[]): Mutated {
  const from = random.below(log.length);
  const moved = log.toSpliced(from, 1);
  return firstMisplaced(moved.toSpliced(random.below(log.length), 0, log[from] as Sealed), log);
}

function duplicate(random: Random, log: readonly Sealed[]): Mutated {
  const from = random.below(log.length);
  const at = from + 1 + random.below(log.length - from);
  return { log: log.toSpliced(at, 0, log[from] as Sealed), expected: null, duplicate: at };
}

/** Stores an authentic frame under another lane. */
function moveLane(random: Random, log: readonly Sealed[]): Mutated {
  const at = random.below(log.length);
  const other = ((log[at] as Sealed).lane + 1 + random.below(63)) % 64;
  return {
    log: replace(log, at, { lane: other }),
    expected: { offset: at, codes: ['WRONG_LANE'] },
  };
}

/** Edits made by somebody who holds no key, and keeps the MAC. */
const EDITS: readonly ((random: Random, frame: Frame, other: Frame) => Partial<Frame>)[] = [
  (_, { host }) => ({ host: host === 'web-1' ? 'web-2' : 'web-1' }),
  (random, frame) => ({ lane: (frame.lane + 1 + random.below(63)) % 64 }),
  () => ({ incarnation: 'ffffffffffffffff' }),
  (random, frame) => ({ first: frame.first + 1 + random.below(9) }),
  (random) => ({ previous: random.bytes(32) }),
  (_, { events }) => ({ events: [...events, events[0] as Uint8Array] }),
  (random, { events }) => ({ events: events.with(random.below(events.length), random.bytes(9)) }),
  (_, frame, other) => ({ events: [...frame.events, ...other.events] }),
];

function splice(random: Random, log: readonly Sealed[]): Mutated {
  const at = random.below(log.length);
  const frame = decode('Frame', (log[at] as Sealed).value);
  const other = decode('Frame', random.pick(log).value);
  const value = encode('Frame', { ...frame, ...random.pick(EDITS)(random, frame, other) });
  return { log: replace(log, at, { value }), expected: { offset: at, codes: FORGED } };
}

/** One host seals for another, with the only key it has. */
function impersonate(random: Random, log: readonly Sealed[], writers: Writers): Mutated {
  const at = random.below(log.length);
  const { host, value } = log[at] as Sealed;
  const key = writers.keys.get(host === 'web-1' ? 'web-2' : 'web-1') as Buffer;
  const forged = Buffer.from(value);
  forged.set(frameMac(forged, key), forged.length - MAC_BYTES);
  return {
    log: replace(log, at, { value: forged }),
    expected: { offset: at, codes: ['BAD_MAC'] },
  };
}

/** A host changes its own past: shows where the next frame of the lane no longer fits. */
function rewrite(random: Random, log: readonly Sealed[], writers: Writers): Mutated {
  const at = random.below(log.length);
  const { host, chain, value } = log[at] as Sealed;
  const frame = decode('Frame', value);
  const events = frame.events.with(random.below(frame.events.length), random.bytes(50));
  const forged = encode('Frame', { ...frame, events });
  forged.set(frameMac(forged, writers.keys.get(host) as Buffer), forged.length - MAC_BYTES);
  const next = log.findIndex((later, offset) => offset > at && later.chain === chain);
  return {
    log: replace(log, at, { value: forged }),
    expected:
      next < 0 ? { offset: log.length, codes: ['FORK'] } : { offset: next, codes: ['BROKEN_LINK'] },
  };
}

/** A host tells a second story about ids it has used, at the end or anywhere behind them. */
function fork(random: Random, log: readonly Sealed[], writers: Writers): Mutated {
  const from = random.below(log.length);
  const { host, lane: number, value, first } = log[from] as Sealed;
  const { previous } = openFrame(value, writers.keyOf);
  const hash = random.below(2) === 0 ? previous : genesisOf(host, number);
  const at = from + 1 + random.below(log.length - from);
  const events = [random.bytes(60)];
  const other = writers.seal({ host, lane: number, events, fork: { sequence: first, hash } });
  return { log: log.toSpliced(at, 0, ...other), expected: { offset: at, codes: ['FORK'] } };
}

function genesisOf(host: string, number: number): Buffer {
  const life = incarnation('00112233445566aa');
  return genesis({ host: hostName(host), incarnation: life, lane: lane(number) });
}

export const MUTATIONS: Readonly<Record<string, Mutate>> = {
  cutFrame,
  drop,
  truncate,
  reorder,
  duplicate,
  moveLane,
  splice,
  impersonate,
  rewrite,
  fork,
};
