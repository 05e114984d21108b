import { createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Subject } from '#event';
import { CliError, EXIT } from './exit.ts';

export interface TokenRequest {
  /** Name of a host, or `*`. */
  readonly host: string;
  /** Boot id of that host, or `*`. */
  readonly boot: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly forMs: number;
  readonly commands: bigint;
  readonly overCeiling: boolean;
  readonly operator: string;
  readonly reason: string;
  readonly subjects: readonly Subject[];
}

/** An operator's private key. Throws `CliError`. */
export function readKey(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.config, `key ${file}: ${message}`, { cause: error });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  const next = 'make one with ./warden policy keygen';
  throw new CliError(EXIT.config, `key ${file}: ${key.asymmetricKeyType}, not Ed25519: ${next}`);
}

/**
 * A token that warden-load redeems once, with nothing else running: lines, the last one the
 * signature of all before it. The host checks it against the operators of its policy.
 */
export function makeToken(request: TokenRequest, key: KeyObject): string {
  const { host, boot, notBeforeMs, notAfterMs, forMs, commands, operator, reason } = request;
  for (const [what, text] of Object.entries({ host, boot, operator, reason })) {
    if (/^[^\p{Cc}]{1,128}$/u.test(text)) continue;
    const expected = 'one line of 1 to 128 characters';
    throw new CliError(EXIT.usage, `${what} ${JSON.stringify(text)}: expected ${expected}`);
  }
  const body = [
    'warden-token 1',
    'action break-glass',
    `host ${host}`,
    `boot ${boot}`,
    `not_before ${notBeforeMs}`,
    `not_after ${notAfterMs}`,
    `nonce ${randomBytes(16).toString('hex')}`,
    `for_ms ${forMs}`,
    `commands ${commands.toString(16).padStart(16, '0')}`,
    `over_ceiling ${request.overCeiling ? 1 : 0}`,
    `operator ${operator}`,
    `reason ${reason}`,
    ...request.subjects.map(({ kind, id }) => `subject ${kind} ${id}`),
    '',
  ].join('\n');
  return `${body}signature ${sign(null, Buffer.from(body), key).toString('hex')}\n`;
}
