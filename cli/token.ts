import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Argument, type Command, Option } from 'commander';
import { CliError, EXIT } from './shared/exit.ts';
import { parseSpan } from './shared/span.ts';
import { makeSealedToken, readKey, SEALED_ACTIONS, type SealedAction } from './shared/token.ts';

interface TokenOptions {
  readonly sign: string;
  readonly operator: string;
  readonly host: string;
  readonly boot: string;
  readonly valid: string;
  readonly reason: string;
  readonly file?: string;
  readonly raise?: string;
  readonly out?: string;
  readonly json?: boolean;
}

const MINUTE_MS = 60_000;
const NOTHING = '0'.repeat(64);
/** As warden-load writes down what a raise gives, before it looks for its SHA-256 in a token. */
const RAISE =
  /^(pin|break-glass|observe) tier=[0-4] for_ms=\d+ commands=[\da-f]{16}( (auid|loader|uid):\d+)+$/;

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function ofFile(action: SealedAction, file: string | undefined): string {
  if (file === undefined) {
    const what = action === 'upgrade' ? 'the warden-load to go over to' : 'the compiled policy';
    throw new CliError(EXIT.usage, `${action}: --file is missing: ${what}`);
  }
  try {
    return sha256(readFileSync(file));
  } catch (error) {
    throw new CliError(EXIT.data, `${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** What the token is for, so that it is for nothing else. */
function digestOf(action: SealedAction, { file, raise }: TokenOptions): string {
  if (action === 'upgrade' || action === 'apply') return ofFile(action, file);
  if (file !== undefined) throw new CliError(EXIT.usage, `${action}: takes no --file`);
  if (action !== 'raise') return NOTHING;
  if (raise !== undefined && RAISE.test(raise)) return sha256(raise);
  const example = '"pin tier=4 for_ms=3600000 commands=ffffffffffffffff auid:10001"';
  throw new CliError(EXIT.usage, `raise: --raise is missing or wrong, such as ${example}`);
}

function token(action: SealedAction, options: TokenOptions): void {
  const nowMs = Date.now();
  const request = {
    action,
    sha256: digestOf(action, options),
    host: options.host,
    boot: options.boot,
    notBeforeMs: nowMs - MINUTE_MS,
    notAfterMs: nowMs + parseSpan('--valid', options.valid),
    operator: options.operator,
    reason: options.reason,
  };
  const text = makeSealedToken(request, readKey(options.sign));
  if (options.out !== undefined) writeFileSync(options.out, text, { mode: 0o600 });
  if (options.json === true) {
    const until = new Date(request.notAfterMs).toISOString();
    const where = options.out === undefined ? { token: text } : { file: options.out };
    const said = { action, host: request.host, sha256: request.sha256, redeem_until: until };
    console.log(JSON.stringify({ schema: 'warden.sealed-token/1', ...said, ...where }));
  } else if (options.out === undefined) process.stdout.write(text);
}

export function tokenVerb(program: Command): void {
  program
    .command('token')
    .addArgument(new Argument('<action>', 'what it lets a host do').choices(SEALED_ACTIONS))
    .description('sign what a sealed guard does not do without: one action on one host, once')
    .requiredOption('--sign <key>', "the operator's Ed25519 key (PEM)")
    .requiredOption('--operator <name>', 'of the key, as the policy of that host names it')
    .requiredOption('--host <name>', 'where it may be redeemed; * for everywhere')
    .requiredOption('--reason <text>', 'why: it is kept with what it lets happen')
    .addOption(new Option('--boot <id>', 'only in this boot of the host').default('*'))
    .option('--valid <span>', 'how long it may wait to be redeemed', '1h')
    .option('--file <file>', 'upgrade: the new warden-load; apply: the compiled policy')
    .option('--raise <text>', 'raise: all that is given, and to whom')
    .option('--out <file>', 'write the token there, readable by you alone')
    .option('--json', 'one object, as JSON (schema warden.sealed-token/1)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden token unseal --sign alice.pem --operator alice --host web-1 \\\n' +
        '      --reason "new release, CHG-7" --out unseal.token\n' +
        '  $ sudo bpf/build/warden-load unseal --dir /run/warden --token unseal.token\n\n' +
        'WARDEN_TOKEN=FILE hands one to the verbs that need it: policy apply, pin, observe, up.',
    )
    .action(token);
}
