import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { deriveHostKey } from '#chain';
import {
  ConfigError,
  HostRegister,
  newSigningKey,
  openFleetKeys,
  openSigningKey,
  publicKeyOf,
  SignerRegister,
} from '#config';
import type { HostName } from '#event';
import type { HostsOptions } from './fleet/hosts.ts';
import { withKafka } from './fleet/options.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { parseHostName } from './shared/host-name.ts';
import { configOf } from './shared/open.ts';

interface HostOptions {
  readonly state?: string;
  readonly out?: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

const SERVICE_USER = /^bpf-warden:[^:]*:(\d+):(\d+):/m;

/** As whom the services of this machine run; null where they do not, or others can't give. */
function serviceUser(): { uid: number; gid: number } | null {
  if (process.geteuid?.() !== 0) return null;
  const [, uid, gid] = SERVICE_USER.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

/** What the register and the files of keys refuse, as one line. */
function told<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof ConfigError) throw new CliError(EXIT.config, message, { cause: error });
    if (code === undefined) throw error;
    const next = code === 'EEXIST' ? 'there is one already: name another --out' : message;
    throw new CliError(EXIT.cannotCreate, `${file}: ${next}`, { cause: error });
  }
}

function writeKey(file: string, key: Uint8Array | string): void {
  const out = dirname(file);
  const fresh = !existsSync(out);
  mkdirSync(out, { recursive: true, mode: 0o700 });
  writeFileSync(file, key, { mode: 0o600, flag: 'wx' });
  const user = serviceUser();
  // A state directory belongs to the services, and so does what lies in it.
  if (user !== null)
    for (const one of fresh ? [out, file] : [file]) chownSync(one, user.uid, user.gid);
}

interface Done {
  readonly verb: 'enroll' | 'rotate' | 'revoke';
  readonly host: HostName;
  /** Of the key that opens what comes from now on; null: none does. */
  readonly generation: number | null;
  /** Where the key went. */
  readonly key: string | null;
  /** Where the key that the host signs with went. */
  readonly signing: string | null;
  /** What is left to do, a line each. */
  readonly next: readonly string[];
}

function say(done: Done, { json }: HostOptions): void {
  const lines = json === true ? [JSON.stringify({ schema: 'warden.host/1', ...done })] : done.next;
  process.stdout.write(`${lines.join('\n')}\n`);
}

const stateOf = ({ state }: HostOptions) => configOf(state === undefined ? {} : { state }).stateDir;

/** The files of a host's keys; one that is there may be kept. */
interface Files {
  readonly key: string;
  readonly signing: string;
}

function filesIn({ out, keep }: HostOptions): Files {
  const directory = resolve(out ?? '.');
  const files = { key: join(directory, 'host.key'), signing: join(directory, 'sign.key') };
  if (keep === true) return files;
  for (const file of Object.values(files)) {
    told(file, () => {
      if (existsSync(file)) throw Object.assign(new Error(), { code: 'EEXIST' });
    });
  }
  return files;
}

/** The private part goes to the host alone, the public one is written down first. */
function writeSigningKey(file: string, stateDir: string, host: HostName): void {
  const { pem, key } = newSigningKey();
  told(file, () => {
    new SignerRegister(stateDir).enroll(host, key, Date.now());
    writeKey(file, pem);
  });
}

/**
 * The signing key of a host that is enrolled, once more or for the first time. One that lies where
 * it belongs is kept, and written down where nobody knows it; a second beside one that counts would
 * be a rotation that nobody asked for. Returns whether one must be made. Throws `ConfigError`.
 */
function checkSigning(files: Files, stateDir: string, host: HostName): boolean {
  const signers = new SignerRegister(stateDir);
  const live = signers.liveKey(host);
  const next = `./warden host rotate ${host} gives it another`;
  if (!existsSync(files.signing)) {
    if (live === null) signers.checkRoom(host, Date.now());
    else throw new ConfigError(`${host} has a signing key, which is not here: ${next}`);
    return live === null;
  }
  const key = publicPart(dirname(files.signing));
  if (live === null) {
    if (key !== null) signers.enroll(host, key, Date.now());
  } else if (key !== null && key !== live) {
    throw new ConfigError(`${files.signing} is not the signing key of ${host}: ${next}`);
  }
  return false;
}

/** Of a sign.key, 32 bytes in base64; null: it is there, and others may not read it. */
function publicPart(directory: string): string | null {
  try {
    const key = openSigningKey(directory);
    return key === null ? null : publicKeyOf(key);
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'EACCES') return null;
    throw error;
  }
}

/** Makes the fleet's keys where there are none, and writes one host's own. */
function enroll(text: string, options: HostOptions): void {
  const host = parseHostName(text);
  const stateDir = stateOf(options);
  const files = filesIn(options);
  const { generation, isMade } = told(files.key, () => {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const { fleet } = openFleetKeys(stateDir, { create: true });
    const isMade = checkSigning(files, stateDir, host);
    const generation = new HostRegister(stateDir).enroll(host);
    if (!existsSync(files.key)) writeKey(files.key, deriveHostKey(fleet, host, generation));
    return { generation, isMade };
  });
  if (isMade) writeSigningKey(files.signing, stateDir, host);
  const next = [
    `${files.key} and ${files.signing}: put them into the state directory of ${host}`,
    `${join(stateDir, 'signers.json')}: give it to whoever verifies or watches`,
  ];
  say({ verb: 'enroll', host, generation, ...files, next }, options);
}

/** A host's next keys; the one before opens what it has sealed, for 30 days. */
function rotate(text: string, options: HostOptions): void {
  const host = parseHostName(text);
  const stateDir = stateOf(options);
  const files = filesIn(options);
  const generation = told(files.key, () => {
    const { fleet } = openFleetKeys(stateDir, { create: false });
    // No room for another key is found before the first thing is written.
    new SignerRegister(stateDir).checkRoom(host, Date.now());
    const number = new HostRegister(stateDir).rotate(host, Date.now());
    writeKey(files.key, deriveHostKey(fleet, host, number));
    return number;
  });
  writeSigningKey(files.signing, stateDir, host);
  const next = [
    `${join(stateDir, 'hosts.json')}: give it to every enricher`,
    `${join(stateDir, 'signers.json')}: give it to whoever verifies or watches`,
    `${files.key} and ${files.signing}: then put them into the state directory of ${host}, and ` +
      'start its collector again',
  ];
  say({ verb: 'rotate', host, generation, ...files, next }, options);
}

/** From now on nothing of a host is believed. */
function revoke(text: string, options: HostOptions): void {
  const host = parseHostName(text);
  const stateDir = stateOf(options);
  const file = join(stateDir, 'hosts.json');
  told(file, () => {
    openFleetKeys(stateDir, { create: false });
    const signers = new SignerRegister(stateDir);
    // One that can't be written keeps nothing of the other valid.
    try {
      new HostRegister(stateDir).revoke(host, Date.now());
    } finally {
      signers.revoke(host, Date.now());
    }
  });
  const next = [
    `${file}: give it to every enricher; what ${host} sends then goes to bpf.dlq`,
    `${join(stateDir, 'signers.json')}: give it to whoever verifies or watches`,
  ];
  say({ verb: 'revoke', host, generation: null, key: null, signing: null, next }, options);
}

function listVerb(host: Command): void {
  withKafka(host.command('list').description('the hosts of a fleet, by their last heartbeats'))
    .option('--state <dir>', 'directory with signers.json (WARDEN_STATE)')
    .option('--silent <seconds>', 'from when on a host counts as silent', '60')
    .option('--stopped-ok <names>', 'hosts that may be stopped or unloaded, with commas between')
    .option('--json', 'one object, as JSON (schema warden.host-list/1)')
    .addHelpText(
      'after',
      "\nA heartbeat's age is by the time that the brokers have written down, which must be\n" +
        'within 2 minutes of the time that the host has signed. One that it did not sign,\n' +
        'or that is sent again, does not count, and is said for an hour. Of each host its last\n' +
        '16 are read.\n' +
        '\nExample:\n  $ ./warden host list --kafka kafka-1:9092 --state /etc/warden/fleet\n' +
        '\nExit code 0: every host runs with programs loaded, is revoked, or may be stopped.\n' +
        '1: one is silent, was never heard of, is stopped or has nothing loaded, or a heartbeat\n' +
        'is forged.',
    )
    .action(async (options: HostsOptions) => {
      const { list } = await import('./fleet/hosts.ts');
      await list(options);
    });
}

export function hostVerb(program: Command): void {
  const host = program.command('host').description('hosts of a fleet, and their keys');
  listVerb(host);
  host
    .command('enroll <name>')
    .description("write a host's keys; the fleet's keys are made with the first")
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--json', 'what was done, as one object (schema warden.host/1)')
    .option('--out <dir>', 'where host.key and sign.key go, by default here')
    .option('--keep', 'leave keys that are there already; again and again it changes nothing')
    .addHelpText(
      'after',
      '\nWith its own keys a host can speak for itself only. Carry them there by a safe way.\n' +
        "Who has fleet.key can seal for every host and sign for none: sign.key is the host's.\n" +
        'A host that has a signing key elsewhere is refused: host rotate gives it another.\n' +
        '\nExample:\n  $ ./warden host enroll web-1 --state /etc/warden/fleet --out /tmp/web-1\n',
    )
    .action(enroll);
  host
    .command('rotate <name>')
    .description(
      "write a host's next keys; that of frames before counts for 30 days more, to sign for 7",
    )
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--json', 'what was done, as one object (schema warden.host/1)')
    .option('--out <dir>', 'where host.key and sign.key go, by default here')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden host rotate web-1 --state /etc/warden/fleet --out /tmp/web-1\n',
    )
    .action(rotate);
  host
    .command('revoke <name>')
    .description('believe nothing that a host sends from now on; enroll gives it a new key')
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--json', 'what was done, as one object (schema warden.host/1)')
    .addHelpText('after', '\nExample:\n  $ ./warden host revoke web-1 --state /etc/warden/fleet\n')
    .action(revoke);
}
