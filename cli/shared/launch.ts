import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Config } from '#config';
import { compilePolicy } from '#policy';
import { CliError, EXIT } from './exit.ts';
import { loadPolicy } from './policy-file.ts';

/** The root of the checkout. */
export const APP = resolve(import.meta.dirname, '../..');
export const LOADER = join(APP, 'bpf/build/warden-load');
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

/** Leaves the compiled policy for warden-load and the policy itself for the services. */
function stagePolicy(config: Config): string {
  const { policy, text } = loadPolicy(config);
  const compiled = join(config.runDir, 'policy.compiled');
  mkdirSync(config.runDir, { recursive: true, mode: 0o755 });
  writeFileSync(compiled, compilePolicy(policy), { mode: 0o600 });
  const source = join(config.runDir, 'policy.yaml');
  writeFileSync(source, text, { mode: 0o644 });
  chmodSync(source, 0o644);
  return compiled;
}

/** This node as the services see it: in the read-only view of the checkout, if it lies there. */
function nodePath(runDir: string): string {
  const inside = relative(APP, process.execPath);
  return inside.startsWith('..') ? process.execPath : join(runDir, 'app', inside);
}

/** Becomes `warden-load run`, which loads the programs and runs this verb without privileges. */
export function launch(config: Config, options: { keep: boolean }): never {
  checkMachine();
  const compiled = stagePolicy(config);
  const { runDir, stateDir } = config;
  const arguments_ = [
    LOADER,
    'run',
    ...['--dir', runDir, '--policy', compiled, '--user', SERVICE_USER],
    ...['--app', APP, '--state', stateDir],
    ...(options.keep ? ['--keep'] : []),
    ...Object.entries(config.ringBytes).flatMap(([ring, size]) => [`--ring-${ring}`, `${size}`]),
    '--',
    nodePath(runDir),
    '--disable-warning=ExperimentalWarning',
    join(runDir, 'app/cli/main.ts'),
    'up',
  ];
  const environment = {
    ...process.env,
    // The services' own: root must never run what they could have written.
    NODE_COMPILE_CACHE: join(stateDir, 'cache'),
    WARDEN_SERVICE: 'standalone',
    WARDEN_STATE: stateDir,
    WARDEN_RUN: runDir,
    WARDEN_JSON: config.json ? '1' : '0',
    WARDEN_LOG_LEVEL: config.logLevel,
  };
  const { execve } = process;
  if (execve === undefined)
    throw new CliError(EXIT.software, 'this Node has no execve: run npm start');
  return execve.call(process, LOADER, arguments_, environment as NodeJS.ProcessEnv);
}

/** Two or three lines on what this kernel's mode sees and denies. */
export function modeLines(mode: string): string {
  const probe = spawnSync(LOADER, ['probe', '--json'], { encoding: 'utf8' });
  const reason = mode === 'audit' ? refusals(probe.stdout) : '';
  return [
    `mode ${mode}: every bpf(2) call with its result, who made it and from which executable,`,
    '  and every live program, map and link. Not seen: calls that BPF programs make themselves',
    `  (bpf_sys_bpf) and attaching outside bpf(2). Nothing is refused${reason}: ./warden doctor`,
  ].join('\n');
}

function refusals(report: string): string {
  try {
    const { hooks } = JSON.parse(report) as {
      hooks: { name: string; ok: boolean; errno: string }[];
    };
    const lsm = hooks.find(({ name }) => name.startsWith('lsm'));
    return lsm === undefined || lsm.ok ? '' : ` (lsm: ${lsm.errno})`;
  } catch {
    return '';
  }
}
