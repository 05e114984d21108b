import { sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { compilePolicy } from '#policy';
import { CliError, EXIT } from '../shared/exit.ts';
import { parseHostName } from '../shared/host-name.ts';
import { configOf } from '../shared/open.ts';
import { loadPolicy } from '../shared/policy-file.ts';
import { readKey } from '../shared/token.ts';

interface BootOptions {
  readonly sign: string;
  readonly operator: string;
  readonly host: string;
  readonly revision: string;
  readonly policy?: string;
  readonly json?: boolean;
}

const LATEST = 2 ** 32 - 1;

/** A compiled policy with its revision, signed as bpf/load/boot.h has it. Throws `CliError`. */
export function bootPolicy(
  compiled: string,
  { revision, operator }: { revision: number; operator: string },
  key: ReturnType<typeof readKey>,
): string {
  if (!Number.isInteger(revision) || revision < 1 || revision > LATEST) {
    throw new CliError(EXIT.usage, `--revision ${revision}: expected a number from 1`);
  }
  if (!/^[a-zA-Z0-9][\w.-]{0,62}$/.test(operator)) {
    throw new CliError(EXIT.usage, `--operator ${JSON.stringify(operator)}: expected a name`);
  }
  const body = `warden-boot 1\nrevision ${revision}\noperator ${operator}\n${compiled}`;
  return `${body}signature ${sign(null, Buffer.from(body), key).toString('hex')}\n`;
}

function boot(file: string, options: BootOptions): void {
  const { policy } = loadPolicy(configOf(options));
  const { operator } = options;
  const host = parseHostName(options.host, '--host');
  const compiled = compilePolicy(policy, { host });
  if (!/^\d{1,10}$/.test(options.revision)) {
    const said = JSON.stringify(options.revision);
    throw new CliError(EXIT.usage, `--revision ${said}: expected a number from 1 to ${LATEST}`);
  }
  const revision = Number(options.revision);
  const text = bootPolicy(compiled, { revision, operator }, readKey(options.sign));
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw new CliError(EXIT.cannotCreate, (error as Error).message, { cause: error });
  }
  const said = { schema: 'warden.policy-boot/1', file, revision, operator, host };
  console.log(options.json === true ? JSON.stringify(said) : `${file}: revision ${revision}`);
}

export function bootVerb(policy: Command): void {
  policy
    .command('boot <file>')
    .description('compile and sign a policy for early boot, for /etc/warden/boot/policy of a host')
    .requiredOption('--sign <key>', "an operator's Ed25519 key (PEM)")
    .requiredOption('--operator <name>', 'of the key, as /etc/warden/boot/operators names it')
    .requiredOption('--host <name>', 'that it is for')
    .requiredOption('--revision <n>', 'larger than that of the one before: older ones are refused')
    .option('--policy <file>', 'policy in YAML (WARDEN_POLICY), by default the one in force')
    .option('--json', 'as JSON (schema warden.policy-boot/1)')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden policy boot policy --policy a.yaml --host web-1 --revision 7 \\\n' +
        '      --sign alice.pem --operator alice\n\n' +
        'Exit codes: 0 written; 64 usage; 73 the file can not be written; 78 policy or key.',
    )
    .action(boot);
}
