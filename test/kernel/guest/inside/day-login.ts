import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync } from 'node:fs';
import { type Ran, run } from '#testkit';

/** Logins over ssh by key, of an ordinary user and of an administrator. */
const ALICE = 10001;
const KEY = '/root/.ssh/id_ed25519';
const OPTIONS = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];

/** Runs a program, which has to succeed. */
export async function ok(program: string, ...args: string[]): Promise<Ran> {
  const ran = await run(program, args);
  assert.equal(ran.code, 0, `${program} ${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

/** sshd with keys for both, before the guard is there: what runs already is known as well. */
export function keys(): void {
  mkdirSync('/root/.ssh', { mode: 0o700, recursive: true });
  execFileSync('ssh-keygen', ['-A']);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', KEY]);
  copyFileSync(`${KEY}.pub`, '/root/.ssh/authorized_keys');
  mkdirSync('/home/alice/.ssh', { mode: 0o700, recursive: true });
  copyFileSync(`${KEY}.pub`, '/home/alice/.ssh/authorized_keys');
  for (const path of ['', '/.ssh', '/.ssh/authorized_keys']) {
    chownSync(`/home/alice${path}`, ALICE, ALICE);
  }
  execFileSync('systemctl', ['start', 'ssh']);
}

async function login(user: string, command: string): Promise<string> {
  const options = OPTIONS.flatMap((option) => ['-o', option]);
  return (await ok('ssh', ...options, '-i', KEY, `${user}@127.0.0.1`, command)).stdout;
}

export const admin = (command: string): Promise<string> => login('root', command);

/** The login uid is that of the user, and the session is of use. */
export async function logins(): Promise<void> {
  const said = await login('alice', 'id -u; cat /proc/self/loginuid; echo; echo kept > note');
  assert.deepEqual(said.split('\n').slice(0, 2), [`${ALICE}`, `${ALICE}`]);
  assert.equal(await login('alice', 'cat note'), 'kept\n');
  assert.equal(await admin('cat /proc/self/loginuid'), '0');
}

/** sshd of a new package, with the guard there from its exec on. */
export async function restartedSshd(): Promise<void> {
  await ok('systemctl', 'restart', 'ssh');
  await logins();
}
