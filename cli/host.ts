import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { deriveHostKey } from '#chain';
import { openFleetKeys } from '#config';
import { EventError, type HostName, hostName } from '#event';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';

interface HostOptions {
  readonly state?: string;
  readonly out?: string;
  readonly keep?: boolean;
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

/** Makes the fleet's keys where there are none, and writes one host's own. */
function enroll(text: string, options: HostOptions): void {
  const host = nameOf(text);
  const { stateDir } = configOf(options.state === undefined ? {} : { state: options.state });
  const out = resolve(options.out ?? '.');
  const file = join(out, 'host.key');
  if (options.keep === true && existsSync(file)) return;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const { fleet } = openFleetKeys(stateDir, { create: true });
    const fresh = !existsSync(out);
    mkdirSync(out, { recursive: true, mode: 0o700 });
    writeFileSync(file, deriveHostKey(fleet, host), { mode: 0o600, flag: 'wx' });
    const user = serviceUser();
    // A state directory belongs to the services, and so does what lies in it.
    if (user !== null)
      for (const one of fresh ? [out, file] : [file]) chownSync(one, user.uid, user.gid);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const next = code === 'EEXIST' ? 'there is one already: name another --out' : message;
    throw new CliError(EXIT.cannotCreate, `${file}: ${next}`, { cause: error });
  }
  process.stdout.write(`${file}: put it into the state directory of ${host}\n`);
}

export function hostVerb(program: Command): void {
  const host = program.command('host').description('hosts of a fleet and their keys');
  host
    .command('enroll <name>')
    .description("write a host's key; the fleet's keys are made with the first")
    .option('--state <dir>', "directory of the fleet's keys (WARDEN_STATE)")
    .option('--out <dir>', 'where host.key goes, by default here')
    .option('--keep', 'leave a key that is there already')
    .addHelpText(
      'after',
      '\nWith its own key a host can speak for itself only. Carry it there by a safe way.\n' +
        '\nExample:\n  $ ./warden host enroll web-1 --state /etc/warden/fleet --out /tmp/web-1\n',
    )
    .action(enroll);
}
