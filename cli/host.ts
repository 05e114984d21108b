import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { deriveHostKey } from '#chain';
import { ConfigError, HostRegister, openFleetKeys } from '#config';
import { EventError, type HostName, hostName } from '#event';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';

interface HostOptions {
  readonly state?: string;
  readonly out?: string;
  readonly keep?: boolean;
  readonly json?: boolean;
}

function nameOf(text: string): HostName {
  try {
    return hostName(text);
  } catch (error) {
    if (!(error instanceof EventError)) throw error;
    const wanted = 'expected a-z, 0-9, dots and dashes';
    throw new CliError(EXIT.usage, `host name ${JSON.stringify(text)}: ${wanted}`);
  }
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

function writeKey(file: string, key: Uint8Array): void {
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
  /** What is left to do, a line each. */
  readonly next: readonly string[];
}

function say(done: Done, { json }: HostOptions): void {
  const lines = json === true ? [JSON.stringify({ schema: 'warden.host/1', ...done })] : done.next;
  process.stdout.write(`${lines.join('\n')}\n`);
}

const stateOf = ({ state }: HostOptions) => configOf(state === undefined ? {} : { state }).stateDir;

/** Makes the fleet's keys where there are none, and writes one host's own. */
function enroll(text: string, options: HostOptions): void {
  const host = nameOf(text);
  const stateDir = stateOf(options);
  const file = join(resolve(options.out ?? '.'), 'host.key');
  if (options.keep === true && existsSync(file)) return;
  const generation = told(file, () => {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const { fleet } = openFleetKeys(stateDir, { create: true });
    const number = new HostRegister(stateDir).enroll(host);
    writeKey(file, deriveHostKey(fleet, host, number));
    return number;
  });
  const next = [`${file}: put it into the state directory of ${host}`];
  say({ verb: 'enroll', host, generation, key: file, next }, options);
}

/** A host's next key; the one before opens what it has sealed, for 30 days. */
function rotate(text: string, options: HostOptions): void {
  const host = nameOf(text);
  const stateDir = stateOf(options);
  const file = join(resolve(options.out ?? '.'), 'host.key');
  const generation = told(file, () => {
    if (existsSync(file)) throw Object.assign(new Error(), { code: 'EEXIST' });
    const { fleet } = openFleetKeys(stateDir, { create: false });
    const number = new HostRegister(stateDir).rotate(host, Date.now());
    writeKey(file, deriveHostKey(fleet, host, number));
    return number;
  });
  const next = [
    `${join(stateDir, 'hosts.json')}: give it to every enricher`,
    `${file}: then put it into the state directory of ${host}, and start its collector again`,
  ];
  say({ verb: 'rotate', host, generation, key: file, next }, options);
}

/** From now on nothing of a host is believed. */
function revoke(text: string, options: HostOptions): void {
  const host = nameOf(text);
  const stateDir = stateOf(options);
  const file = join(stateDir, 'hosts.json');
  told(file, () => {
    openFleetKeys(stateDir, { create: false });
    new HostRegister(stateDir).revoke(host, Date.now());
  });
  const next = [`${file}: give it to every enricher; what ${host} sends then goes to bpf.dlq`];
  say({ verb: 'revoke', host, generation: null, key: null, next }, options);
}

export function hostVerb(program: Command): void {
  const host = program.command('host').description('hosts of a fleet and their keys');
  host
    .command('enroll <name>')
    .description("write a host's key; the fleet's keys are made with the first")
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--json', 'what was done, as one object (schema warden.host/1)')
    .option('--out <dir>', 'where host.key goes, by default here')
    .option('--keep', 'leave a key that is there already')
    .addHelpText(
      'after',
      '\nWith its own key a host can speak for itself only. Carry it there by a safe way.\n' +
        '\nExample:\n  $ ./warden host enroll web-1 --state /etc/warden/fleet --out /tmp/web-1\n',
    )
    .action(enroll);
  host
    .command('rotate <name>')
    .description("write a host's next key; the one before opens its records for 30 days more")
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--json', 'what was done, as one object (schema warden.host/1)')
    .option('--out <dir>', 'where host.key goes, by default here')
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
