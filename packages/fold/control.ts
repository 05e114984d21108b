import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  type Control,
  type External,
  encode,
  type Lane,
  laneOf,
  type Override,
  type PrincipalKey,
  type Records,
} from '#event';
import type { Output } from '#log';

const EMPTY = Buffer.alloc(0);

interface Sealable {
  readonly Control: Control;
  readonly Override: Override;
  readonly External: External;
}

const DOMAINS: Readonly<Record<keyof Sealable, string>> = {
  Control: 'bpf-warden/control/1',
  Override: 'bpf-warden/override/1',
  External: 'bpf-warden/external/1',
};

const MAC_BYTES = 32;
/** Lengths as Avro writes them, in front of bytes. */
const LENGTH = { none: 0, mac: 2 * MAC_BYTES } as const;

/** HMAC-SHA-256 under the control key, which no host holds. `open`: encoded, with an empty MAC. */
function macOf(name: keyof Sealable, open: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(DOMAINS[name]).update(open).digest();
}

export function seal<N extends keyof Sealable>(
  name: N,
  record: Omit<Sealable[N], 'mac'>,
  key: Uint8Array,
): Sealable[N] {
  const open = { ...record, mac: EMPTY } as unknown as Sealable[N];
  return { ...open, mac: macOf(name, encode(name, open as Records[N]), key) };
}

/**
 * Whether `value`, a record as it was written, was sealed under this key. By its own bytes: another
 * version's record has fields that we would not write. The MAC is the last field in every version.
 */
export function isAuthentic(name: keyof Sealable, value: Uint8Array, key: Uint8Array): boolean {
  const at = value.length - MAC_BYTES - 1;
  if (at < 0 || value[at] !== LENGTH.mac) return false;
  const open = Buffer.concat([value.subarray(0, at), Buffer.of(LENGTH.none)]);
  return timingSafeEqual(macOf(name, open, key), value.subarray(at + 1));
}

/** A control record without what its kind does not have. */
export function controlOf(
  control: Pick<Control, 'id' | 'lane' | 'kind' | 'timeMs'> & Partial<Control>,
): Omit<Control, 'mac'> {
  return { principal: null, policyHash: null, policy: null, body: null, ...control };
}

export function controlOutput(control: Control): Output {
  const { lane } = control;
  return { topic: 'bpf.events', lane, key: String(lane), value: encode('Control', control) };
}

/** The same due time of the same principal has the same id, so writing it twice changes nothing. */
export function dueControlId(principal: PrincipalKey, dueMs: number): string {
  return `due/${principal}/${dueMs}`;
}

/** What an operator said, as the record that changes the fold of its principal's lane. */
export function overrideControl(override: Override, timeMs: number): Omit<Control, 'mac'> {
  const { id, principal } = override;
  const lane: Lane = laneOf(principal);
  const body = encode('Override', override);
  return controlOf({ id: `override/${id}`, lane, kind: 'override', principal, timeMs, body });
}

/** What another system reported, likewise. */
export function externalControl(external: External, timeMs: number): Omit<Control, 'mac'> {
  const { id, source, principal } = external;
  const lane: Lane = laneOf(principal);
  const body = encode('External', external);
  const control = { id: `external/${source}/${id}`, lane, kind: 'external', principal } as const;
  return controlOf({ ...control, timeMs, body });
}

/** Key of a timer: due time in ms, 16 digits, then the principal; so keys sort by time. */
export function dueKey(dueMs: number, principal: PrincipalKey): string {
  return `${String(dueMs).padStart(16, '0')}/${principal}`;
}

/** Inverse of `dueKey`. */
export function parseDueKey(key: string): { dueMs: number; principal: PrincipalKey } {
  return { dueMs: Number(key.slice(0, 16)), principal: key.slice(17) as PrincipalKey };
}
