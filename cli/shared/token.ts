import { createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Subject } from '#event';
import { CliError, EXIT } from './exit.ts';

/** What every token says. */
export interface TokenHead {
  /** Name of a host, or `*`. */
  readonly host: string;
  /** Boot id of that host, or `*`. */
  readonly boot: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly operator: string;
  readonly reason: string;
}

export interface TokenRequest extends TokenHead {
  readonly forMs: number;
  readonly commands: bigint;
  readonly overCeiling: boolean;
  readonly subjects: readonly Subject[];
}

/** What a sealed guard lets nobody do without one. */
export const SEALED_ACTIONS = ['unload', 'upgrade', 'apply', 'raise', 'stop', 'unseal'] as const;
export type SealedAction = (typeof SEALED_ACTIONS)[number];

export interface SealedRequest extends TokenHead {
  readonly action: SealedAction;
  /** Hex, of what it is for; zeroes: of nothing in particular. */
  readonly sha256: string;
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

const HEX16 = 16;

/** Lines that a token begins with. Throws `CliError`. */
function headOf({ host, boot, operator, reason, ...window }: TokenHead, action: string): string[] {
  for (const [what, text] of Object.entries({ host, boot, operator, reason })) {
    if (/^[^\p{Cc}]{1,128}$/u.test(text)) continue;
    const expected = 'one line of 1 to 128 characters';
    throw new CliError(EXIT.usage, `${what} ${JSON.stringify(text)}: expected ${expected}`);
  }
  return [
    'warden-token 1',
    `action ${action}`,
    `host ${host}`,
    `boot ${boot}`,
    `not_before ${window.notBeforeMs}`,
    `not_after ${window.notAfterMs}`,
    `nonce ${randomBytes(16).toString('hex')}`,
    `operator ${operator}`,
    `reason ${reason}`,
  ];
}

function signed(lines: readonly string[], key: KeyObject): string {
  const body = `${lines.join('\n')}\n`;
  return `${body}signature ${sign(null, Buffer.from(body), key).toString('hex')}\n`;
}

/**
 * A token that warden-load redeems once, with nothing else running: lines, the last one the
 * signature of all before it. The host checks it against the operators of its policy.
 */
export function makeToken(request: TokenRequest, key: KeyObject): string {
  const { forMs, commands, overCeiling, subjects } = request;
  const lines = [
    ...headOf(request, 'break-glass'),
    `for_ms ${forMs}`,
    `commands ${commands.toString(16).padStart(HEX16, '0')}`,
    `over_ceiling ${overCeiling ? 1 : 0}`,
    ...subjects.map(({ kind, id }) => `subject ${kind} ${id}`),
  ];
  return signed(lines, key);
}

/** A token for what needs one while the guard is sealed. */
export function makeSealedToken(request: SealedRequest, key: KeyObject): string {
  return signed([...headOf(request, request.action), `sha256 ${request.sha256}`], key);
}
