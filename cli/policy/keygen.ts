import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { CliError, EXIT } from '../shared/exit.ts';
import { makeKey } from './signing.ts';

interface KeygenOptions {
  readonly name?: string;
  readonly json?: boolean;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,31}$/;

function keygen(file: string, options: KeygenOptions): void {
  const name = options.name ?? process.env.SUDO_USER ?? userInfo().username;
  if (!NAME.test(name)) {
    const expected = "expected up to 32 letters, digits, '.', '_' and '-'";
    throw new CliError(EXIT.usage, `--name ${JSON.stringify(name)}: ${expected}`);
  }
  const { pem, line } = makeKey(name);
  try {
    writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already: name another file' : message;
    throw new CliError(EXIT.cannotCreate, `${file}: ${why}`, { cause: error });
  }
  const key = /key: "(.*)"/.exec(line)?.[1];
  if (options.json === true) {
    console.log(JSON.stringify({ schema: 'warden.policy-keygen/1', file, name, key }));
  } else console.log(`${line}\n# the private key is in ${file}: keep it away from the hosts`);
}

export function keygenVerb(policy: Command): void {
  policy
    .command('keygen <file>')
    .description("make an operator's key: Ed25519 in PEM, and the line of the policy that knows it")
    .option('--name <name>', 'of the operator, by default who runs this')
    .option('--json', 'as JSON (schema warden.policy-keygen/1)')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden policy keygen alice.pem --name alice >> policy.yaml\n\n' +
        'Exit codes: 0 made; 73 the file is there already, or can not be written.',
    )
    .action(keygen);
}
