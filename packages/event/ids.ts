import { hash } from 'node:crypto';
import { EventError } from './errors.ts';

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Name of a host: 1 to 253 of `a-z 0-9 . - _`, lower case. */
export type HostName = Brand<string, 'HostName'>;
/** A random 64-bit number, 16 hex digits: one life of a host's local log within one boot. */
export type Incarnation = Brand<string, 'Incarnation'>;
/** 0 to 63. A principal's lane never changes. */
export type Lane = Brand<number, 'Lane'>;
/** Dense from 0 within a host, incarnation and lane. */
export type Sequence = Brand<number, 'Sequence'>;
/** `uid:10001@corp`, `cilium@web-1`, `uid:33@web-1`, `host:web-1`. */
export type PrincipalKey = Brand<string, 'PrincipalKey'>;

/** Number of lanes, for ever: partitions of a topic divide it. */
export const LANES = 64;

const HOST = /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/;
const INCARNATION = /^[0-9a-f]{16}$/;
const PRINCIPAL =
  /^(?:host:|uid:\d{1,10}@|[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}@)[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/;

export interface EventId {
  readonly host: HostName;
  readonly incarnation: Incarnation;
  readonly lane: Lane;
  readonly sequence: Sequence;
}

/** Lower-cases a host name and checks it. Throws `EventError` `BAD_ID`. */
export function hostName(text: string): HostName {
  const name = text.toLowerCase();
  if (!HOST.test(name)) throw new EventError('BAD_ID', `host name ${JSON.stringify(text)}`);
  return name as HostName;
}

/** Throws `EventError` `BAD_ID` unless `text` is 16 lower-case hex digits. */
export function incarnation(text: string): Incarnation {
  if (!INCARNATION.test(text)) {
    throw new EventError('BAD_ID', `incarnation ${JSON.stringify(text)}`);
  }
  return text as Incarnation;
}

/** Throws `EventError` `BAD_ID` unless `value` is an integer from 0 to 63. */
export function lane(value: number): Lane {
  if (!Number.isInteger(value) || value < 0 || value >= LANES) {
    throw new EventError('BAD_ID', `lane ${value}`);
  }
  return value as Lane;
}

/** Throws `EventError` `BAD_ID` unless `value` is a safe integer from 0. */
export function sequence(value: number): Sequence {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new EventError('BAD_ID', `sequence ${value}`);
  return value as Sequence;
}

/** Throws `EventError` `BAD_ID` unless `text` has the form of a principal's key. */
export function principalKey(text: string): PrincipalKey {
  if (!PRINCIPAL.test(text)) throw new EventError('BAD_ID', `principal ${JSON.stringify(text)}`);
  return text as PrincipalKey;
}

/** The principal under which a host speaks about itself. */
export function hostPrincipal(host: HostName): PrincipalKey {
  return `host:${host}` as PrincipalKey;
}

const lanes = new Map<string, Lane>();
const LANE_CACHE_MAX = 100_000;

/** The lane of a principal: first byte of its SHA-256, modulo 64. Part of the contract. */
export function laneOf(principal: PrincipalKey): Lane {
  const known = lanes.get(principal);
  if (known !== undefined) return known;
  const first = Number.parseInt(hash('sha256', principal, 'hex').slice(0, 2), 16);
  const value = (first % LANES) as Lane;
  if (lanes.size >= LANE_CACHE_MAX) lanes.clear();
  lanes.set(principal, value);
  return value;
}

/** `web-1/7d3f9c0011223344/0/1841` */
export function formatEventId(id: EventId): string {
  return `${id.host}/${id.incarnation}/${id.lane}/${id.sequence}`;
}

/** Whether a text has the form of an event's id. */
export function isEventId(text: string): boolean {
  return /^[a-z0-9._-]+\/[0-9a-f]{16}\/\d{1,2}\/\d{1,16}$/.test(text);
}

/** Inverse of `formatEventId`. Throws `EventError` `BAD_ID`. */
export function parseEventId(text: string): EventId {
  const parts = text.split('/');
  const [host, life, laneText, sequenceText] = parts;
  if (
    parts.length !== 4 ||
    !/^\d{1,2}$/.test(laneText ?? '') ||
    !/^\d{1,16}$/.test(sequenceText ?? '')
  ) {
    throw new EventError('BAD_ID', `event id ${JSON.stringify(text)}`);
  }
  return {
    host: hostName(host as string),
    incarnation: incarnation(life as string),
    lane: lane(Number(laneText)),
    sequence: sequence(Number(sequenceText)),
  };
}
