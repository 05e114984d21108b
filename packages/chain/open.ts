import { timingSafeEqual } from 'node:crypto';
import {
  decode,
  EventError,
  type Frame,
  HEADER_BYTES,
  type HostName,
  hostName,
  incarnation,
  lane,
  type Sequence,
  schemaOf,
  sequence,
} from '#event';
import { ChainError } from './errors.ts';
import { type Chain, linksOf } from './hash.ts';
import { checkKey } from './key.ts';
import { MAX_EVENT_BYTES, MAX_FRAME_BYTES, MAX_FRAME_EVENTS } from './limits.ts';
import { frameMac, type Head, MAC_BYTES } from './seal.ts';

/** An event with its place in the chain. `hash` is the chain hash at `sequence`. */
export interface ChainedEvent {
  readonly sequence: Sequence;
  readonly hash: Buffer;
  readonly bytes: Uint8Array;
}

/** A frame whose MAC is good. What its events say is still the host's word only. */
export interface OpenedFrame extends Chain {
  readonly first: Sequence;
  /** Chain hash before `first`, as the frame claims it. */
  readonly previous: Uint8Array;
  readonly events: readonly ChainedEvent[];
  /** Where the chain stands after the frame. */
  readonly next: Head;
}

export type KeyOf = (host: string) => Uint8Array | null;

/**
 * Authenticates a frame, then reads it: before the MAC is known to be good, only the host's name is
 * looked at, to find the key. `bytes` may be hostile; so may a host that holds its key.
 *
 * Throws `ChainError`: BAD_FRAME, UNKNOWN_HOST_KEY, BAD_MAC, BAD_KEY.
 */
export function openFrame(bytes: Uint8Array, keyOf: KeyOf): OpenedFrame {
  const host = claimedHost(bytes);
  const key = keyOf(host);
  if (key === null) throw new ChainError('UNKNOWN_HOST_KEY', host);
  checkKey(key);
  const mac = bytes.subarray(bytes.length - MAC_BYTES);
  if (!timingSafeEqual(mac, frameMac(bytes, key))) throw new ChainError('BAD_MAC', `host ${host}`);
  return asBadFrame(() => read(bytes));
}

/** The host that a frame names: its first field, read without trust in the rest. */
function claimedHost(bytes: Uint8Array): HostName {
  return asBadFrame(() => {
    if (bytes.length > MAX_FRAME_BYTES) {
      throw new ChainError('BAD_FRAME', `${bytes.length} bytes, above ${MAX_FRAME_BYTES}`);
    }
    const schema = schemaOf(bytes);
    if (schema !== 'Frame') throw new ChainError('BAD_FRAME', `a record of schema ${schema}`);
    // A zig-zag varint of one or two bytes: a host name has at most 253.
    const low = bytes[HEADER_BYTES] ?? 0;
    const high = low < 0x80 ? 0 : (bytes[HEADER_BYTES + 1] ?? 0);
    const start = HEADER_BYTES + (low < 0x80 ? 1 : 2);
    const length = (low & 0x7f) | (high << 7);
    const end = start + (length >> 1);
    if (length % 2 === 1 || high >= 0x80 || end + MAC_BYTES > bytes.length) {
      throw new ChainError('BAD_FRAME', 'length of the host name');
    }
    return exactHostName(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  });
}

/** A host has one spelling, else it would have two chains. */
function exactHostName(text: string): HostName {
  const host = hostName(text);
  if (host !== text) throw new ChainError('BAD_FRAME', `host name ${JSON.stringify(text)}`);
  return host;
}

function read(bytes: Uint8Array): OpenedFrame {
  const frame = decode('Frame', bytes);
  checkEvents(frame);
  const chain: Chain = {
    host: exactHostName(frame.host),
    incarnation: incarnation(frame.incarnation),
    lane: lane(frame.lane),
  };
  const first = sequence(frame.first);
  sequence(frame.first + frame.events.length);
  const link = linksOf(chain);
  let hash = frame.previous;
  const events = frame.events.map((event, index) => {
    const at = (first + index) as Sequence;
    const linked = link(at, hash, event);
    hash = linked;
    return { sequence: at, hash: linked, bytes: event };
  });
  const next = { sequence: first + events.length, hash };
  return { ...chain, first, previous: frame.previous, events, next };
}

function checkEvents({ events }: Frame): void {
  if (events.length === 0 || events.length > MAX_FRAME_EVENTS) {
    throw new ChainError('BAD_FRAME', `${events.length} events`);
  }
  for (const { length } of events) {
    if (length === 0 || length > MAX_EVENT_BYTES) {
      throw new ChainError('BAD_FRAME', `an event of ${length} bytes`);
    }
  }
}

function asBadFrame<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new ChainError('BAD_FRAME', error.message, { cause: error });
  }
}
