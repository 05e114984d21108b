import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { EventError, type HostName, hostName, type Mode } from '#event';

/** A setting that can't be used. `message` says what, where and what to do. */
export class ConfigError extends Error {
  readonly code = 'BAD_CONFIG';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

/** Options as the command line gives them; each has an environment variable. */
export interface RawOptions {
  readonly state?: string;
  readonly policy?: string;
  readonly json?: boolean;
  readonly enforce?: boolean;
  readonly logLevel?: string;
  readonly webhook?: string;
  readonly webhookToken?: string;
}

export interface Config {
  /** Directory of the local log and keys. */
  readonly stateDir: string;
  /** The local log. */
  readonly database: string;
  /** Directory of pins, lock and load report. */
  readonly runDir: string;
  readonly policyFile: string | null;
  /** Mode enforce, whatever the policy says. */
  readonly enforce: boolean;
  readonly json: boolean;
  readonly logLevel: string;
  /** Bytes of the rings that are not to have their default size. */
  readonly ringBytes: Readonly<Record<string, number>>;
  /** What `warden-load --mode` is to be. */
  readonly mode: string;
  /** Where other systems report risk; null: nowhere. */
  readonly webhook: Webhook | null;
  /** A snapshot is due after this many records of `bpf.events`; the log goes back to the oldest. */
  readonly snapshotRecords: number;
  /** Bytes of the local log from which on records of the bulk ring are shed. */
  readonly logBytes: number;
}

/** A loopback address, and the token that callers must show. */
export interface Webhook {
  readonly host: string;
  readonly port: number;
  /** SHA-256 of the token, hex: only its hash reaches the services. */
  readonly tokenHash: string;
}

const RINGS = ['deny', 'object', 'bulk'];
const RING_MIN = 4096;
const RING_MAX = 1 << 28;

/** WARDEN_RING_DENY, WARDEN_RING_OBJECT, WARDEN_RING_BULK: powers of two. */
function ringBytes(env: Environment): Record<string, number> {
  const sizes: Record<string, number> = Object.create(null);
  for (const ring of RINGS) {
    const name = `WARDEN_RING_${ring.toUpperCase()}`;
    const text = env[name];
    if (text === undefined || text === '') continue;
    const bytes = Number(text);
    if (!Number.isInteger(Math.log2(bytes)) || bytes < RING_MIN || bytes > RING_MAX) {
      const wanted = `expected a power of two from ${RING_MIN} to ${RING_MAX} bytes`;
      throw new ConfigError(`${name} ${JSON.stringify(text)}: ${wanted}`);
    }
    sizes[ring] = bytes;
  }
  return sizes;
}

const MODES = ['lsm', 'fmod_ret', 'signal', 'audit'];

/** WARDEN_MODE, by default `auto`: the best that the kernel can, but for `signal`. */
function modeOf(env: Environment): string {
  const text = env.WARDEN_MODE || 'auto';
  if (text === 'auto' || MODES.includes(text)) return text;
  const wanted = `expected auto, ${MODES.join(', ')}`;
  throw new ConfigError(`WARDEN_MODE ${JSON.stringify(text)}: ${wanted}`);
}

/** WARDEN_SNAPSHOT_RECORDS, by default 100,000. */
function snapshotRecords(env: Environment): number {
  const text = env.WARDEN_SNAPSHOT_RECORDS ?? '100000';
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new ConfigError(
    `WARDEN_SNAPSHOT_RECORDS ${JSON.stringify(text)}: expected a number from 1`,
  );
}

const LOG_BYTES = { least: 4 * 1024 * 1024, most: 2 ** 40, usual: 1024 ** 3 } as const;

/** WARDEN_LOG_BYTES, by default 1 GiB. */
function logBytes(env: Environment): number {
  const { least, most, usual } = LOG_BYTES;
  const text = env.WARDEN_LOG_BYTES ?? `${usual}`;
  const bytes = /^\d{1,13}$/.test(text) ? Number(text) : 0;
  if (bytes >= least && bytes <= most) return bytes;
  const wanted = `expected a number of bytes from ${least} to ${most}`;
  throw new ConfigError(`WARDEN_LOG_BYTES ${JSON.stringify(text)}: ${wanted}`);
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

type Environment = Readonly<Record<string, string | undefined>>;

function logLevel(value: string): string {
  if (LEVELS.includes(value)) return value;
  throw new ConfigError(`log level ${JSON.stringify(value)}: expected one of ${LEVELS.join(', ')}`);
}

const LOOPBACK = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost):(\d{1,5})$/;
const TOKEN_BYTES = { least: 16, most: 512 };

function tokenHash(file: string): string {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`webhook token: ${(error as Error).message}`, { cause: error });
  }
  const { least, most } = TOKEN_BYTES;
  if (token.length < least || token.length > most || /\s/.test(token)) {
    throw new ConfigError(`${file}: expected a token of ${least} to ${most} characters, one line`);
  }
  return createHash('sha256').update(token).digest('hex');
}

/** WARDEN_WEBHOOK and WARDEN_WEBHOOK_TOKEN, a file; the services get WARDEN_WEBHOOK_HASH. */
function webhookOf(options: RawOptions, env: Environment): Webhook | null {
  const address = options.webhook ?? env.WARDEN_WEBHOOK ?? '';
  if (address === '') return null;
  const [, host, port] = LOOPBACK.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    const wanted = 'expected a loopback address such as 127.0.0.1:7072 (put TLS in front of it)';
    throw new ConfigError(`webhook ${JSON.stringify(address)}: ${wanted}`);
  }
  const file = options.webhookToken ?? env.WARDEN_WEBHOOK_TOKEN ?? '';
  const hash = env.WARDEN_WEBHOOK_HASH ?? '';
  if (file === '' && !/^[0-9a-f]{64}$/.test(hash)) {
    throw new ConfigError('the webhook needs a token: name its file with --webhook-token');
  }
  const bare = host.replace(/^\[|\]$/g, '');
  return { host: bare, port: Number(port), tokenHash: file === '' ? hash : tokenHash(file) };
}

/** Settings from options, then environment, then defaults. Throws `ConfigError`. */
export function readConfig(options: RawOptions, env: Environment): Config {
  const stateDir = resolve(options.state ?? env.WARDEN_STATE ?? '/var/lib/warden');
  const policy = options.policy ?? env.WARDEN_POLICY;
  const runDir = env.WARDEN_RUN ?? '/run/warden';
  if (!isAbsolute(runDir))
    throw new ConfigError(`WARDEN_RUN ${runDir}: an absolute path is needed`);
  return {
    stateDir,
    database: join(stateDir, 'warden.db'),
    runDir,
    policyFile: policy === undefined || policy === '' ? null : resolve(policy),
    enforce: options.enforce ?? env.WARDEN_ENFORCE === '1',
    json: options.json ?? env.WARDEN_JSON === '1',
    ringBytes: ringBytes(env),
    mode: modeOf(env),
    snapshotRecords: snapshotRecords(env),
    logBytes: logBytes(env),
    webhook: webhookOf(options, env),
    logLevel: logLevel(options.logLevel ?? env.WARDEN_LOG_LEVEL ?? 'info'),
  };
}

/** This host's name in events: WARDEN_HOST, else the system's. Throws `ConfigError`. */
export function hostIdentity(env: Environment): HostName {
  const name = env.WARDEN_HOST ?? hostname();
  try {
    return hostName(name);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    throw new ConfigError(
      `host name ${JSON.stringify(name)}: expected a-z, 0-9, dots and dashes: set WARDEN_HOST`,
      { cause: error },
    );
  }
}

/** What `warden-load load` left behind: `DIR/load.json`. */
export interface LoadedState {
  readonly bootId: string;
  readonly mode: Mode;
  readonly adopted: boolean;
  readonly kernel: string;
  /** Names of the hooks that were attached when they were loaded. */
  readonly hooks: readonly string[];
  /** Hash of the policy in the kernel, hex. */
  readonly policy: string;
}

/** Throws `ConfigError` when the programs are not loaded, or the report can't be read. */
export function loadedState(runDir: string): LoadedState {
  const file = join(runDir, 'load.json');
  let report: Record<string, unknown>;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const next =
      code === 'ENOENT' ? 'nothing is loaded: start with ./warden up' : (error as Error).message;
    throw new ConfigError(`${file}: ${next}`, { cause: error });
  }
  if (report.schema !== 'warden.load/1' || !MODES.includes(String(report.mode))) {
    throw new ConfigError(`${file}: not a warden.load/1 report: load again`);
  }
  return {
    bootId: String(report.boot_id),
    mode: report.mode as Mode,
    adopted: report.adopted === true,
    kernel: String(report.kernel ?? ''),
    hooks: Array.isArray(report.hooks) ? report.hooks.map(({ name }) => String(name)) : [],
    policy: String(report.policy ?? ''),
  };
}
