import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';
import { replaceRegister } from './register-file.ts';

/** A public key of a host, 32 bytes in base64, and until when it counts; null: no end. */
interface Signer {
  readonly key: string;
  readonly untilMs: number | null;
}

const SCHEMA = 'warden.signers/1';
const NAME = 'signers.json';
/**
 * A host signs nothing ahead: what could not be sent is signed anew. So the key before counts only
 * as long as the next one may be on its way to the host.
 */
const GRACE_MS = 7 * 24 * 3_600_000;
/** How long an ended key is kept: longer than the records that it has signed. */
const KEPT_MS = 45 * 24 * 3_600_000;
const SIGNERS_MAX = 64;
const KEY_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** The raw public key of a private one, as registers and policies have it: base64. */
export function publicKeyOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
}

/** A new Ed25519 key: the private part in PEM, the public one in base64. */
export function newSigningKey(): { readonly pem: string; readonly key: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, key: publicKeyOf(privateKey) };
}

function publicKey(key: string): KeyObject {
  const x = Buffer.from(key, 'base64').toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

/**
 * `signers.json`: the public signing keys of each host and until when they count. No secret is in
 * it: whoever verifies needs it, and must have it from whoever enrolls hosts.
 */
export class SignerRegister {
  private readonly file: string;
  private signers: Map<string, readonly Signer[]>;
  private readonly keys = new Map<string, KeyObject>();

  /** Throws `ConfigError` for a file that can't be read; none at all is an empty one. */
  constructor(stateDir: string) {
    this.file = join(stateDir, NAME);
    this.signers = readSigners(this.file);
  }

  /** Hosts that ever had a signing key. */
  get hosts(): string[] {
    return [...this.signers.keys()];
  }

  /** Keys of a host that count for what the brokers took then, newest first. */
  validAt(host: string, appendedMs: number): readonly KeyObject[] {
    const valid = this.of(host).filter(({ untilMs }) => untilMs === null || appendedMs < untilMs);
    return valid.map(({ key }) => this.keyOf(key)).reverse();
  }

  /** The key that a host signs with, 32 bytes in base64; null: it has none, or is revoked. */
  liveKey(host: string): string | null {
    return this.of(host).find(({ untilMs }) => untilMs === null)?.key ?? null;
  }

  /** Throws `ConfigError` where a host can't have another key now. */
  checkRoom(host: string, nowMs: number): void {
    if (this.kept(host, nowMs).length < SIGNERS_MAX) return;
    throw new ConfigError(`${host}: ${SIGNERS_MAX} signing keys in 52 days: wait with the next`);
  }

  /** The host's next key; the one before counts for 7 days more. Throws `ConfigError`. */
  enroll(host: string, key: string, nowMs: number): void {
    this.update(host, () => {
      this.checkRoom(host, nowMs);
      const ended = this.kept(host, nowMs).map((one) => {
        return { ...one, untilMs: one.untilMs ?? nowMs + GRACE_MS };
      });
      return [...ended, { key, untilMs: null }];
    });
  }

  /** From now on no key of the host counts. Throws `ConfigError`. */
  revoke(host: string, nowMs: number): void {
    if (!this.signers.has(host)) return;
    this.update(host, () =>
      this.of(host).map((one) => ({ ...one, untilMs: Math.min(one.untilMs ?? nowMs, nowMs) })),
    );
  }

  private of(host: string): readonly Signer[] {
    return this.signers.get(host) ?? [];
  }

  private kept(host: string, nowMs: number): readonly Signer[] {
    return this.of(host).filter(({ untilMs }) => untilMs === null || untilMs > nowMs - KEPT_MS);
  }

  private keyOf(key: string): KeyObject {
    const known = this.keys.get(key) ?? publicKey(key);
    this.keys.set(key, known);
    return known;
  }

  /** Changes one host's keys in what the file has now. */
  private update(host: string, change: () => readonly Signer[]): void {
    let signers = this.signers;
    replaceRegister(this.file, { schema: SCHEMA, mode: 0o644 }, () => {
      this.signers = readSigners(this.file);
      signers = new Map(this.signers).set(host, change());
      return signers;
    });
    this.signers = signers;
  }
}

function readSigners(file: string): Map<string, readonly Signer[]> {
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes, at most ${FILE_BYTES_MAX}`);
    const { schema, hosts } = JSON.parse(readFileSync(file, 'utf8'));
    if (schema !== SCHEMA) throw new Error(`not a ${SCHEMA} file`);
    const found = Object.entries(hosts as object);
    for (const [host, signers] of found) checkSigners(host, signers);
    return new Map(found as [string, Signer[]][]);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return new Map();
    throw new ConfigError(`${file}: ${message}`, { cause: error });
  }
}

function checkSigners(host: string, signers: unknown): void {
  const isSigner = ({ key, untilMs }: Signer) =>
    typeof key === 'string' &&
    Buffer.from(key, 'base64').length === KEY_BYTES &&
    (untilMs === null || Number.isSafeInteger(untilMs));
  const isList = Array.isArray(signers) && signers.length > 0 && signers.length <= SIGNERS_MAX + 1;
  if (isList && signers.every((one) => typeof one === 'object' && one !== null && isSigner(one))) {
    return;
  }
  throw new Error(`${host}: expected a list of signing keys and their ends`);
}
