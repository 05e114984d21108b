import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';

/** A public key of a host, 32 bytes in base64, and until when it counts; null: no end. */
interface Signer {
  readonly key: string;
  readonly untilMs: number | null;
}

const SCHEMA = 'warden.signers/1';
const NAME = 'signers.json';
/** What was signed on a host under its key before may still be on its way. */
const GRACE_MS = 30 * 24 * 3_600_000;
/** How long records stay that an ended key has signed. */
const KEPT_MS = 30 * 24 * 3_600_000;
const SIGNERS_MAX = 64;
const KEY_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** A new signing key: the private part in PEM for the host, the public one for the register. */
export function newSigningKey(): { readonly pem: string; readonly key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { pem, key: Buffer.from(x, 'base64url').toString('base64') };
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
  private readonly signers: Map<string, readonly Signer[]>;
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

  isKnown(host: string): boolean {
    return this.signers.has(host);
  }

  /** The host's next key; the one before counts for 30 days more. Throws `ConfigError`. */
  enroll(host: string, key: string, nowMs: number): void {
    const old = this.of(host).filter(
      ({ untilMs }) => untilMs === null || untilMs > nowMs - KEPT_MS,
    );
    if (old.length >= SIGNERS_MAX) {
      throw new ConfigError(`${host}: ${SIGNERS_MAX} signing keys in 60 days: wait with the next`);
    }
    const ended = old.map((one) => ({ ...one, untilMs: one.untilMs ?? nowMs + GRACE_MS }));
    this.write(host, [...ended, { key, untilMs: null }]);
  }

  /** From now on no key of the host counts. */
  revoke(host: string, nowMs: number): void {
    if (!this.signers.has(host)) return;
    this.write(
      host,
      this.of(host).map((one) => ({ ...one, untilMs: Math.min(one.untilMs ?? nowMs, nowMs) })),
    );
  }

  private of(host: string): readonly Signer[] {
    return this.signers.get(host) ?? [];
  }

  private keyOf(key: string): KeyObject {
    const known = this.keys.get(key) ?? publicKey(key);
    this.keys.set(key, known);
    return known;
  }

  /** Whole or not at all: somebody may be reading it. */
  private write(host: string, signers: readonly Signer[]): void {
    this.signers.set(host, signers);
    const hosts = Object.fromEntries([...this.signers].sort(([a], [b]) => (a < b ? -1 : 1)));
    const fresh = `${this.file}.new`;
    const text = `${JSON.stringify({ schema: SCHEMA, hosts }, null, 1)}\n`;
    writeFileSync(fresh, text, { mode: 0o644 });
    renameSync(fresh, this.file);
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
