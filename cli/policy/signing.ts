import { type KeyObject, sign } from 'node:crypto';
import { newSigningKey, publicKeyOf } from '#config';
import { encode, type Rollout } from '#event';
import type { Operator } from '#policy';
import { CliError, EXIT } from '../shared/exit.ts';

/** A new private key in PEM, and the line of `operators` that knows it. */
export function makeKey(name: string): { readonly pem: string; readonly line: string } {
  const { pem, key } = newSigningKey();
  return { pem, line: `operators: [{ name: ${name}, key: "${key}" }]` };
}

/** The bytes that an operator signs: the record, with the name and without a signature. */
export function signedBytes(record: Rollout): Uint8Array {
  return encode('Rollout', { ...record, signature: null });
}

/** Who of these operators has this key. Throws `CliError` when nobody does. */
function operatorOf(key: KeyObject, operators: readonly Operator[]): Operator {
  const mine = publicKeyOf(key);
  const found = operators.find((one) => one.key === mine);
  if (found !== undefined) return found;
  const names = operators.map(({ name }) => name).join(', ') || 'it names none';
  const what = `the key is no operator's of the policy in force (${names})`;
  const next = 'sign with a key that it knows';
  throw new CliError(EXIT.noPermission, `${what}: ${next}`);
}

/**
 * The record, signed where a key is given. Where the policy in force names operators one of them
 * must sign; where it names none, a signature counts by the operators of the new one. Throws
 * `CliError`.
 */
export function signRollout(
  record: Rollout,
  key: KeyObject | null,
  operators: { readonly inForce: readonly Operator[]; readonly next: readonly Operator[] },
): Rollout {
  const { inForce, next } = operators;
  if (key === null) {
    if (inForce.length === 0) return record;
    const names = inForce.map(({ name }) => name).join(' or ');
    const what = `the policy in force is changed only with a signature of ${names}`;
    throw new CliError(EXIT.noPermission, `${what}: name the key with --sign KEY.pem`);
  }
  const { name } = operatorOf(key, inForce.length > 0 ? inForce : next);
  const named = { ...record, operator: name };
  return { ...named, signature: sign(null, signedBytes(named), key) };
}
