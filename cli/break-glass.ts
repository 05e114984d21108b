import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { commandNumber } from '#event';
import { type principalOf, subjectsOf } from '#policy';
import { CliError, EXIT } from './shared/exit.ts';
import { runLoader } from './shared/kernel.ts';
import { configOf } from './shared/open.ts';
import {
  giveOverride,
  makeOverride,
  type OverrideOptions,
  targetOf,
  tell,
} from './shared/override.ts';
import { loadPolicy } from './shared/policy-file.ts';
import { parseSpan } from './shared/span.ts';
import { makeToken, readKey } from './shared/token.ts';

interface GlassOptions extends Omit<OverrideOptions, 'reason'> {
  readonly reason?: string;
  readonly ttl: string;
  readonly commands?: string;
  readonly token?: string;
  readonly sign?: string;
  readonly operator?: string;
  readonly host?: string;
  readonly boot: string;
  readonly valid: string;
  readonly overCeiling?: boolean;
  readonly out?: string;
  readonly policy?: string;
}

const ALL = (1n << 64n) - 1n;
const MINUTE_MS = 60_000;
const LONGEST_MS = 60 * MINUTE_MS;

/** Bit n is the command with number n. */
function commandMask(text: string | undefined): bigint {
  if (text === undefined) return ALL;
  return text.split(',').reduce((mask, name) => {
    const number = commandNumber(name.trim().toUpperCase().replace(/^BPF_/, ''));
    if (number >= 0) return mask | (1n << BigInt(number));
    const expected = 'commands such as PROG_LOAD,MAP_CREATE';
    throw new CliError(EXIT.usage, `--commands ${JSON.stringify(name)}: expected ${expected}`);
  }, 0n);
}

function reasonOf({ reason }: GlassOptions): string {
  if (reason !== undefined && reason.trim() !== '') return reason;
  throw new CliError(EXIT.usage, '--reason is missing: it is kept with what it opens');
}

function ttlOf({ ttl }: GlassOptions): number {
  const forMs = parseSpan('--ttl', ttl);
  if (forMs <= LONGEST_MS) return forMs;
  throw new CliError(EXIT.usage, `--ttl ${ttl}: break-glass lasts at most 60m`);
}

/** Makes a token for a host that is not reachable, or whose services are dead. */
function signToken(principal: string, options: GlassOptions): void {
  const { host, operator, boot, out, json } = options;
  if (host === undefined || operator === undefined) {
    throw new CliError(EXIT.usage, '--sign needs --host and --operator, as the policy names it');
  }
  const { realms, loaders } = loadPolicy(configOf(options)).policy;
  const where = { host: host as Parameters<typeof principalOf>[1]['host'], realms, loaders };
  const subjects = subjectsOf(principal as Parameters<typeof subjectsOf>[0], where);
  if (subjects.length === 0) {
    const next = 'write its key, such as uid:10001@corp, or cilium@HOST';
    throw new CliError(EXIT.usage, `${principal}: nobody on host ${host}: ${next}`);
  }
  const notBeforeMs = Date.now();
  const request = {
    host,
    boot,
    notBeforeMs: notBeforeMs - MINUTE_MS,
    notAfterMs: notBeforeMs + parseSpan('--valid', options.valid),
    forMs: ttlOf(options),
    commands: commandMask(options.commands),
    overCeiling: options.overCeiling === true,
    operator,
    reason: reasonOf(options),
    subjects,
  };
  const token = makeToken(request, readKey(options.sign as string));
  if (out !== undefined) writeFileSync(out, token, { mode: 0o600 });
  else if (json !== true) process.stdout.write(token);
  if (json === true) {
    const until = new Date(request.notAfterMs).toISOString();
    const said = { host, operator, subjects, redeem_until: until, file: out ?? null };
    const text = out === undefined ? { token } : {};
    console.log(JSON.stringify({ schema: 'warden.token/1', ...said, ...text }));
  }
}

function redeem(file: string, { runDir, json }: { runDir: string; json: boolean }): void {
  const flags = json ? ['--json'] : [];
  process.stdout.write(runLoader(['break-glass', '--dir', runDir, '--token', file, ...flags]));
}

async function breakGlass(principal: string | undefined, options: GlassOptions): Promise<void> {
  if (options.token !== undefined) return redeem(options.token, configOf(options));
  if (principal === undefined) {
    throw new CliError(EXIT.usage, 'for whom? a principal, or --token FILE');
  }
  if (options.sign !== undefined) return signToken(principal, options);
  const forMs = ttlOf(options);
  const commands = commandMask(options.commands);
  const given = { ...options, reason: reasonOf(options) };
  const target = await targetOf(principal, given);
  const names = options.commands === undefined ? [] : options.commands.split(',');
  const what = { verb: 'break_glass', principal: target.principal, commands: names } as const;
  const made = makeOverride(given, what);
  const override = { ...made, untilMs: made.timeMs + forMs };
  tell(override, given, await giveOverride(override, target, commands));
}

export function breakGlassVerb(program: Command): void {
  program
    .command('break-glass [principal]')
    .description('trusted for minutes, whatever the score; it ends in the kernel by itself')
    .option('--reason <text>', 'why: it is kept with what it opens')
    .option('--ttl <span>', 'for how long, at most 60m', '15m')
    .option('--commands <names>', 'only these, such as PROG_LOAD,LINK_CREATE; default: all')
    .option('--token <file>', 'redeem a signed token: needs no service, log or network')
    .option('--sign <key>', 'print a token for a host instead, signed by this Ed25519 key (PEM)')
    .option('--operator <name>', 'of the key, as the policy of that host names it')
    .option('--host <name>', 'where the token may be redeemed; * for everywhere')
    .addOption(new Option('--boot <id>', 'only in this boot of the host').default('*'))
    .option('--valid <span>', 'how long the token may wait to be redeemed', '1h')
    .option('--over-ceiling', "the token also stands in for the host's ceiling")
    .option('--out <file>', 'write the token there, readable by you alone')
    .option('--author <name>', 'who says so, by default who runs this')
    .option('--ticket <id>', 'where it was decided')
    .option('--policy <file>', 'of the host that a token is for, by default the one in force')
    .option('--json', 'one object, as JSON')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ sudo ./warden break-glass bob --ttl 10m --reason "outage, INC-7"\n' +
        '  $ ./warden break-glass uid:10001@corp --sign alice.pem --operator alice \\\n' +
        '      --host web-1 --reason "outage, INC-7" > web-1.token\n' +
        '  $ sudo ./warden break-glass --token web-1.token',
    )
    .action(breakGlass);
}
