import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Control, encode, type PrincipalKey } from '#event';
import type { Output } from '#log';

const EMPTY = Buffer.alloc(0);

/** HMAC-SHA-256 under the control key, which no host holds, over the record with an empty MAC. */
function macOf(control: Control, key: Uint8Array): Buffer {
  return createHmac('sha256', key)
    .update('bpf-warden/control/1')
    .update(encode('Control', { ...control, mac: EMPTY }))
    .digest();
}

export function sealControl(control: Omit<Control, 'mac'>, key: Uint8Array): Control {
  const open = { ...control, mac: EMPTY };
  return { ...open, mac: macOf(open, key) };
}

export function isAuthentic(control: Control, key: Uint8Array): boolean {
  const mac = macOf(control, key);
  return control.mac.length === mac.length && timingSafeEqual(control.mac, mac);
}

export function controlOutput(control: Control): Output {
  const { lane } = control;
  return { topic: 'bpf.events', lane, key: String(lane), value: encode('Control', control) };
}

/** The same due time of the same principal has the same id, so writing it twice changes nothing. */
export function dueControlId(principal: PrincipalKey, dueMs: number): string {
  return `due/${principal}/${dueMs}`;
}

/** Key of a timer: due time in ms, 16 digits, then the principal; so keys sort by time. */
export function dueKey(dueMs: number, principal: PrincipalKey): string {
  return `${String(dueMs).padStart(16, '0')}/${principal}`;
}

/** Inverse of `dueKey`. */
export function parseDueKey(key: string): { dueMs: number; principal: PrincipalKey } {
  return { dueMs: Number(key.slice(0, 16)), principal: key.slice(17) as PrincipalKey };
}
