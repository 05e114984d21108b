import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './config.ts';

/** Keys of this host: `host` seals its frames, `control` the records that change a fold. */
export interface Keys {
  readonly host: Buffer;
  readonly control: Buffer;
}

const KEY_BYTES = 32;

/**
 * Reads the keys of a state directory; makes those of `create` that are not there. A fleet's host
 * gets its `host` from the fleet and makes a `control` of its own, which opens nothing elsewhere.
 * Throws `ConfigError`.
 */
export function openKeys(stateDir: string, options: { create: readonly (keyof Keys)[] }): Keys {
  const open = (name: keyof Keys) =>
    openKey(join(stateDir, `${name}.key`), { create: options.create.includes(name) });
  return { host: open('host'), control: open('control') };
}

/** Keys of a fleet's centre: from `fleet` come those of all hosts. */
export interface FleetKeys {
  readonly fleet: Buffer;
  readonly control: Buffer;
}

/** Reads the fleet's keys of a state directory; makes them when `create`. Throws `ConfigError`. */
export function openFleetKeys(stateDir: string, options: { create: boolean }): FleetKeys {
  return {
    fleet: openKey(join(stateDir, 'fleet.key'), options),
    control: openKey(join(stateDir, 'control.key'), options),
  };
}

/**
 * The same for whoever only verifies: without `control` control records can't be looked into.
 * Throws `ConfigError`.
 */
export function openFleetKeysToVerify(stateDir: string): {
  readonly fleet: Buffer;
  readonly control: Buffer | null;
} {
  const fleet = openKey(join(stateDir, 'fleet.key'), { create: false });
  try {
    return { fleet, control: openKey(join(stateDir, 'control.key'), { create: false }) };
  } catch (error) {
    const { cause } = error as ConfigError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    return { fleet, control: null };
  }
}

const PEM_BYTES_MAX = 4096;

/** The key that this host signs with, `sign.key`; null: it has none. Throws `ConfigError`. */
export function openSigningKey(stateDir: string): KeyObject | null {
  const file = join(stateDir, 'sign.key');
  try {
    const pem = readPem(file);
    if (pem === null) return null;
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`${key.asymmetricKeyType}`);
    return key;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const next =
      code === 'EACCES'
        ? 'it must belong to the user of the services, bpf-warden, with mode 0600'
        : 'expected an Ed25519 key: write it again with ./warden host rotate';
    throw new ConfigError(`${file}: ${message}: ${next}`, { cause: error });
  }
}

/** null: there is no such file. The directory belongs to the services, and root reads here, too. */
function readPem(file: string): Buffer | null {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw code === 'ELOOP' ? new Error('not a key in PEM', { cause: error }) : error;
  }
  try {
    const found = fstatSync(fd);
    if (!found.isFile() || found.size > PEM_BYTES_MAX) throw new Error('not a key in PEM');
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

function openKey(file: string, { create }: { create: boolean }): Buffer {
  if (create) makeKey(file);
  let key: Buffer;
  try {
    // The directory belongs to the services: root must not follow what they could put here.
    if (!lstatSync(file).isFile()) throw new Error('not a regular file');
    key = readFileSync(file);
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  if (key.length !== KEY_BYTES) {
    const found = `${key.length} bytes instead of ${KEY_BYTES}`;
    throw new ConfigError(`${file}: ${found}: restore it, or move the state directory away`);
  }
  return key;
}

/** Makes a key unless there is one: `wx` lets one of two starts win. */
function makeKey(file: string): void {
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    throw new ConfigError(`${file}: ${message}`, { cause: error });
  }
  try {
    writeSync(fd, randomBytes(KEY_BYTES));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
