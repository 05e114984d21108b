import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, hostIdentity } from '#config';
import type { Override, Subject } from '#event';
import { type Policy, subjectsOf } from '#policy';
import { CliError, EXIT } from './exit.ts';
import { LOADER } from './probe.ts';

const TIMEOUT_MS = 20_000;
const KINDS = { pin: 'pin', break_glass: 'break-glass', observe: 'observe' } as const;
export type RaisingVerb = keyof typeof KINDS;

/** Runs warden-load and gives what it printed. Throws `CliError` with its own words and code. */
export function runLoader(arguments_: readonly string[]): string {
  const { stdout, stderr, status, error } = spawnSync(LOADER, arguments_, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) {
    throw new CliError(EXIT.unavailable, `warden-load: ${error.message}`, { cause: error });
  }
  if (status !== 0) {
    const said = stderr.trim().replace(/^warden-load: /, '') || `exit code ${status}`;
    throw new CliError(status ?? EXIT.software, said);
  }
  return stdout;
}

/** Whether the programs are loaded: else there is nothing in the kernel to raise. */
export function isLoaded({ runDir }: Config): boolean {
  return existsSync(join(runDir, 'load.json'));
}

/** The kernel's keys of a principal on this host. */
export function subjectsHere(override: Pick<Override, 'principal'>, policy: Policy): Subject[] {
  const { realms, loaders } = policy;
  const host = hostIdentity(process.env);
  return [...subjectsOf(override.principal, { host, realms, loaders })];
}

const named = (subjects: readonly Subject[]): string[] =>
  subjects.flatMap(({ kind, id }) => ['--subject', `${kind}:${id}`]);

export interface Raise {
  readonly override: Override;
  readonly subjects: readonly Subject[];
  /** 0 to 4, of a pin. */
  readonly tier: number | null;
  /** Bits by number of the command; null: all. */
  readonly commands: bigint | null;
  readonly forMs: number;
}

/** What warden-load asks for while the guard is sealed; it looks at none otherwise. */
export function sealedToken(): string[] {
  const file = process.env.WARDEN_TOKEN;
  return file === undefined ? [] : ['--token', file];
}

/** Asks warden-load for what only it may give; it ends in the kernel. Throws `CliError`. */
export function raiseInKernel({ runDir }: Config, raise: Raise): void {
  const { override, subjects, tier, commands, forMs } = raise;
  const { verb, id, author, reason, timeMs } = override;
  runLoader([
    'raise',
    ...['--dir', runDir, '--kind', KINDS[verb as RaisingVerb]],
    ...named(subjects),
    ...(tier === null ? [] : ['--tier', `${tier}`]),
    ...(commands === null ? [] : ['--commands', commands.toString(16).padStart(16, '0')]),
    ...['--for-ms', `${forMs}`, '--issued-ms', `${timeMs}`],
    ...['--id', id, '--author', author, '--reason', reason],
    ...sealedToken(),
  ]);
}

/** Takes back what `raiseInKernel` gave. Throws `CliError`. */
export function clearInKernel(
  { runDir }: Config,
  verb: RaisingVerb,
  subjects: readonly Subject[],
  { id, author, reason }: Override,
): void {
  const who = ['--id', id, '--author', author, '--reason', reason];
  runLoader(['clear', '--dir', runDir, '--kind', KINDS[verb], ...named(subjects), ...who]);
}
