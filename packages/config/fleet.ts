import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from './config.ts';

/** Options of verbs that reach the fleet's servers; each has an environment variable. */
export interface RawFleetOptions {
  readonly kafka?: string;
  readonly redis?: string;
  readonly fleet?: string;
  readonly health?: string;
}

interface User {
  readonly name: string;
  readonly password: string;
}

/** How this process reaches Kafka. Secrets are values here: never to be logged. */
export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly prefix: string;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly user: User | null;
}

export interface RedisConfig {
  readonly host: string;
  readonly port: number;
  readonly prefix: string;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
  readonly user: User | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

const ADDRESS = /^(\[[0-9a-f:]+\]|[a-zA-Z0-9._-]{1,253}):(\d{1,5})$/;
const FLEET = /^[a-z0-9][a-z0-9-]{0,31}$/;
const BROKERS_MAX = 64;
const SECRET_BYTES_MAX = 64 * 1024;

function addressOf(name: string, text: string): { host: string; port: number } {
  const [, host, port] = ADDRESS.exec(text) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new ConfigError(`${name} ${JSON.stringify(text)}: expected HOST:PORT`);
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** Several fleets on the same servers are told apart by the beginning of every name. */
function prefixOf(options: RawFleetOptions, env: Environment): string {
  const fleet = options.fleet ?? env.WARDEN_FLEET ?? '';
  if (fleet === '') return '';
  if (FLEET.test(fleet)) return `${fleet}.`;
  const wanted = 'expected a-z, 0-9 and dashes, at most 32';
  throw new ConfigError(`fleet ${JSON.stringify(fleet)}: ${wanted}`);
}

/** A file's text. A secret that others may read is none. */
function fileOf(env: Environment, name: string, options: { secret: boolean }): string | null {
  const file = env[name] ?? '';
  if (file === '') return null;
  try {
    const { mode, size } = statSync(file);
    if (size > SECRET_BYTES_MAX) throw new Error(`${size} bytes, at most ${SECRET_BYTES_MAX}`);
    if (options.secret && (mode & 0o007) !== 0) throw new Error('everybody may read it: chmod o=');
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`${name} ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** NAME_CA, NAME_CERT and NAME_KEY name PEM files; NAME_TLS=1 uses the system's authorities. */
function tlsOf(env: Environment, name: string): KafkaConfig['tls'] {
  const ca = fileOf(env, `${name}_CA`, { secret: false });
  const cert = fileOf(env, `${name}_CERT`, { secret: false });
  const key = fileOf(env, `${name}_KEY`, { secret: true });
  if ((cert === null) !== (key === null)) {
    throw new ConfigError(`${name}_CERT and ${name}_KEY: one without the other`);
  }
  if (ca === null && cert === null) return env[`${name}_TLS`] === '1' ? {} : null;
  return { ...(ca !== null && { ca }), ...(cert !== null && key !== null && { cert, key }) };
}

/** NAME_USER with NAME_PASSWORD_FILE. */
function userOf(env: Environment, name: string): User | null {
  const user = env[`${name}_USER`] ?? '';
  if (user === '') return null;
  const password = fileOf(env, `${name}_PASSWORD_FILE`, { secret: true });
  if (password !== null && password !== '') return { name: user, password };
  throw new ConfigError(`${name}_USER ${user}: name the file of its password`);
}

/** Throws `ConfigError`. */
export function kafkaConfig(
  options: RawFleetOptions,
  env: Environment,
  clientId: string,
): KafkaConfig {
  const text = options.kafka ?? env.WARDEN_KAFKA ?? '';
  if (text === '') throw new ConfigError('no brokers: name them with --kafka HOST:PORT,…');
  const brokers = text.split(',').map((one) => one.trim());
  if (brokers.length > BROKERS_MAX) throw new ConfigError(`more than ${BROKERS_MAX} brokers`);
  for (const broker of brokers) addressOf('broker', broker);
  const tls = tlsOf(env, 'WARDEN_KAFKA');
  const user = userOf(env, 'WARDEN_KAFKA');
  return { brokers, clientId, prefix: prefixOf(options, env), tls, user };
}

/** Throws `ConfigError`. */
export function redisConfig(options: RawFleetOptions, env: Environment): RedisConfig {
  const text = options.redis ?? env.WARDEN_REDIS ?? '';
  if (text === '') throw new ConfigError('no Redis: name it with --redis HOST:PORT');
  const address = addressOf('redis', text);
  const tls = tlsOf(env, 'WARDEN_REDIS');
  const user = userOf(env, 'WARDEN_REDIS');
  return { ...address, prefix: prefixOf(options, env), tls, user };
}

/** Where a service says how it is (WARDEN_HEALTH); null: nowhere. Throws `ConfigError`. */
export function healthAddress(
  options: RawFleetOptions,
  env: Environment,
): { readonly host: string; readonly port: number } | null {
  const text = options.health ?? env.WARDEN_HEALTH ?? '';
  return text === '' ? null : addressOf('health', text);
}
