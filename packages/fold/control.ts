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

/** HMAC-SHA-256 under the control key, which no host holds, over the record with an empty MAC. */
function macOf<N extends keyof Sealable>(name: N, record: Sealable[N], key: Uint8Array): Buffer {
  const open = { ...record, mac: EMPTY } as Records[N];
  return createHmac('sha256', key).update(DOMAINS[name]).update(encode(name, open)).digest();
}

export function seal<N extends keyof Sealable>(
  name: N,
  record: Omit<Sealable[N], 'mac'>,
  key: Uint8Array,
): Sealable[N] {
  const open = { ...record, mac: EMPTY } as unknown as Sealable[N];
  return { ...open, mac: macOf(name, open, key) };
}

export function isAuthentic<N extends keyof Sealable>(
  name: N,
  record: Sealable[N],
  key: Uint8Array,
): boolean {
  const mac = macOf(name, record, key);
  return record.mac.length === mac.length && timingSafeEqual(record.mac, mac);
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
