import { accessSync, constants, realpathSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Config } from '#config';
import { CliError, EXIT } from './exit.ts';
import { sealedToken } from './kernel.ts';
import { loadPolicy } from './policy-file.ts';
import { LOADER } from './probe.ts';
import { stagePolicy } from './staging.ts';

/** The root of the checkout. */
const APP = resolve(import.meta.dirname, '../..');
/** This very program below it: of a checkout, or of a release. */
const MAIN = relative(APP, realpathSync(process.argv[1] ?? APP));
const SERVICE_USER = 'bpf-warden';

/** What must hold before anything is loaded, each with its next step. */
function checkMachine(): void {
  if (process.getuid?.() !== 0) {
    const next = 'loading BPF programs needs root: run sudo npm start';
    throw new CliError(EXIT.noPermission, `not root (uid ${process.getuid?.()}): ${next}`);
  }
  try {
    accessSync('/sys/kernel/btf/vmlinux', constants.R_OK);
  } catch (error) {
    const next = 'this kernel has no BTF: boot one built with CONFIG_DEBUG_INFO_BTF=y';
    throw new CliError(EXIT.unavailable, `/sys/kernel/btf/vmlinux: ${next}`, { cause: error });
  }
  try {
    accessSync(LOADER, constants.X_OK);
  } catch (error) {
    throw new CliError(EXIT.unavailable, `${LOADER}: not built: run npm start`, { cause: error });
  }
}

/** This node as the services see it: in the read-only view of the checkout, if it lies there. */
function nodePath(runDir: string): string {
  const inside = relative(APP, process.execPath);
  return inside.startsWith('..') ? process.execPath : join(runDir, 'app', inside);
}

/** The token itself stays with root. */
function webhookEnvironment({ webhook }: Config): Record<string, string> {
  if (webhook === null) return { WARDEN_WEBHOOK: '', WARDEN_WEBHOOK_TOKEN: '' };
  const { host, port, tokenHash } = webhook;
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return {
    WARDEN_WEBHOOK: address,
    WARDEN_WEBHOOK_TOKEN: '',
    WARDEN_WEBHOOK_HASH: tokenHash,
  };
}

/** What is run without privileges, what WARDEN_SERVICE calls it, and what it needs. */
export interface Launched {
  readonly keep: boolean;
  /** A file below the root, and its arguments; by default the verb `up`. */
  readonly entry?: readonly [string, ...string[]];
  readonly service?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** How Node is to run it. */
  readonly nodeFlags?: readonly string[];
}

/** Becomes `warden-load run`, which loads the programs and runs a verb without privileges. */
export function launch(config: Config, options: Launched): never {
  checkMachine();
  const { compiled, source } = stagePolicy(config, loadPolicy(config));
  const { runDir, stateDir } = config;
  const [file, ...args] = options.entry ?? [MAIN, 'up'];
  const arguments_ = [
    LOADER,
    'run',
    ...['--dir', runDir, '--policy', compiled, '--user', SERVICE_USER],
    ...['--app', APP, '--state', stateDir],
    ...['--mode', config.mode],
    ...(options.keep ? ['--keep'] : []),
    ...sealedToken(),
    ...Object.entries(config.ringBytes).flatMap(([ring, size]) => [`--ring-${ring}`, `${size}`]),
    '--',
    nodePath(runDir),
    // Else SIGUSR1 opens an inspector to whoever may send it.
    '--disable-sigusr1',
    '--disable-warning=ExperimentalWarning',
    ...(options.nodeFlags ?? []),
    join(runDir, 'app', file),
    ...args,
  ];
  const environment = {
    ...process.env,
    // The services' own: root must never run what they could have written.
    NODE_COMPILE_CACHE: join(stateDir, 'cache'),
    WARDEN_SERVICE: options.service ?? 'standalone',
    WARDEN_STAGED_POLICY: source,
    WARDEN_STATE: stateDir,
    WARDEN_RUN: runDir,
    WARDEN_JSON: config.json ? '1' : '0',
    WARDEN_LOG_LEVEL: config.logLevel,
    ...webhookEnvironment(config),
    ...options.environment,
  };
  const { execve } = process;
  if (execve === undefined)
    throw new CliError(EXIT.software, 'this Node has no execve: run npm start');
  return execve.call(process, LOADER, arguments_, environment as NodeJS.ProcessEnv);
}
