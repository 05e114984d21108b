import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { BpfError, type KernelStats, StatsMap } from '#bpf';
import { type Config, ConfigError, loadedState } from '#config';
import { safeText } from '#event';
import { enforcesAnything, type Policy } from '#policy';
import { colors } from './shared/colors.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { changedFiles, guardState, guardTrouble } from './shared/guard-state.ts';
import { heldBack } from './shared/held-back.ts';
import { LIMITS } from './shared/modes.ts';
import { configOf, isThere, withLog } from './shared/open.ts';
import { loadPolicy, policyHere } from './shared/policy-file.ts';
import { LOADER, type Probe, probeKernel } from './shared/probe.ts';

/** ok: as it should be · note: true and worth knowing · bad: something does not work. */
type Grade = 'ok' | 'note' | 'bad';

interface Finding {
  readonly topic: string;
  readonly grade: Grade;
  readonly text: string;
  /** What to do about it; empty when there is nothing to do. */
  readonly next: string;
}

const ok = (topic: string, text: string): Finding => ({ topic, grade: 'ok', text, next: '' });
const note = (topic: string, text: string, next = ''): Finding => ({
  topic,
  grade: 'note',
  text,
  next,
});
const bad = (topic: string, text: string, next: string): Finding => ({
  topic,
  grade: 'bad',
  text,
  next,
});

/** The honest list of what a mode can and can't. */
const limitsOf = (mode: string): Finding[] =>
  (LIMITS[mode] ?? []).map(({ topic, can, text }) => (can ? ok : note)(topic, text));

function readable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function machine(): Finding[] {
  const findings = [ok('node', process.version)];
  findings.push(
    readable('/sys/kernel/btf/vmlinux')
      ? ok('btf', '/sys/kernel/btf/vmlinux')
      : bad('btf', 'this kernel has none', 'boot a kernel built with CONFIG_DEBUG_INFO_BTF=y'),
  );
  findings.push(
    existsSync(LOADER) ? ok('build', LOADER) : bad('build', 'not built', 'run npm start as root'),
  );
  if (process.getuid?.() !== 0) {
    findings.push(note('root', 'not root: what needs root was not tried', 'sudo ./warden doctor'));
  }
  return findings;
}

function kernel(probe: Probe | null, reason: string): Finding[] {
  if (probe === null) return [note('kernel', `not probed: ${reason}`, 'sudo ./warden doctor')];
  const findings = [ok('kernel', probe.kernel)];
  for (const hook of probe.hooks) {
    const works = hook.ran === null ? 'available' : 'seen to run';
    const text = hook.ok ? hook.detail || works : `${hook.errno ?? 'no'}: ${hook.detail}`;
    findings.push(hook.ok ? ok(hook.name, text) : note(hook.name, text));
  }
  findings.push(ok('mode', probe.mode));
  return [...findings, ...limitsOf(probe.mode)];
}

function loadedMode(config: Config): string | null {
  try {
    return loadedState(config.runDir).mode;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return null;
  }
}

/** Whether what the policy asks for happens on this kernel. */
function enforcement(config: Config, probe: Probe | null): Finding[] {
  if (probe === null) return [];
  let enforced: boolean;
  try {
    enforced = enforcesAnything(policyHere(loadPolicy(config)));
  } catch {
    return [];
  }
  if (!enforced) return [ok('enforced', 'nothing: the policy observes')];
  if (loadedMode(config) === 'signal')
    return [note('enforced', 'loads only: who makes one that the policy refuses is killed')];
  if (probe.mode === 'lsm') return [ok('enforced', 'what the policy does not grant is refused')];
  const hasBpf = probe.lsm?.split(',').includes('bpf') ?? true;
  const next = hasBpf
    ? 'run on a kernel that lets BPF LSM programs load'
    : `boot with lsm=${probe.lsm},bpf on the kernel's command line`;
  if (probe.mode === 'fmod_ret')
    return [
      note('enforced', 'what the policy does not grant is refused, as well as it goes', next),
    ];
  return [bad('enforced', 'nothing, though the policy enforces: this kernel has no guard', next)];
}

/** What the watchdog of warden-load says. */
function watched(config: Config): Finding {
  const state = guardState(config.runDir);
  if (state === null) return note('watchdog', 'nobody has looked yet whether the guard runs');
  const trouble = guardTrouble(state);
  if (trouble === null) return ok('watchdog', 'the guard runs: looked at each second');
  const next = state.wrong.includes('ftrace')
    ? 'sysctl kernel.ftrace_enabled=1, and find out who wrote 0'
    : 'sudo ./warden up, and look for GUARD in ./warden tail --all';
  return state.runs ? note('watchdog', trouble, next) : bad('watchdog', trouble, next);
}

const CHANGE_TEXTS: Readonly<Record<string, string>> = {
  kept: 'changed since the policy was applied, and is the loader all the same',
  denied: 'changed since the policy was applied: no loader',
  ended: 'was kept for its time: no loader any more',
  gone: 'is gone',
};

/** Files of loaders that are not what the policy was applied to. */
function changed({ runDir }: Config): Finding[] {
  return changedFiles(runDir).map(({ loader, path, state }) => {
    const next =
      'LOADER in ./warden tail --all, then warden policy apply when it is as it should be';
    return note('loader', `${loader}: ${path} ${CHANGE_TEXTS[state] ?? state}`, next);
  });
}

/** Of a guard that is loaded. */
function seal({ runDir }: Config): Finding {
  if (existsSync(join(runDir, 'sealed')))
    return ok('sealed', 'unload, upgrade, raising and another policy need a token of an operator');
  const text = 'no: root can stop this, change its policy, or raise anybody';
  return note('sealed', text, 'docs/operating/running.md has how to seal');
}

function running(config: Config, probe: Probe | null): Finding[] {
  try {
    const state = loadedState(config.runDir);
    return [
      ok('loaded', `mode ${state.mode}, pins in ${join(config.runDir, 'bpf')}`),
      ...(state.mode === probe?.mode ? [] : limitsOf(state.mode)),
      watched(config),
      ...changed(config),
      seal(config),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
    if (code === 'EACCES') {
      return [note('loaded', 'not known: no permission to look', 'sudo ./warden doctor')];
    }
    return [note('loaded', 'no: nothing is recorded now', 'sudo npm start')];
  }
}

const RINGS = ['deny', 'object', 'bulk', 'code'];
/** `enum wd_error_site`. */
const ERROR_SITES = [
  'no storage for a task: its call was counted as lost',
  'counter table full: counted by subject and command',
  'kernel memory could not be read',
  'a call was never seen to end: sent without a result',
  'only the end of a call was seen',
  'programs that the kernel skipped: at most this many calls were not seen',
  'objects whose maker could not be remembered: foreign to everybody',
  'a reflex could not be set',
  'a program whose instructions did not all reach us: it has no digest',
];

function counts(stats: KernelStats): Finding[] {
  const findings = stats.rings.map((ring, index) => {
    const { attempted, delivered, lost } = ring;
    const text = `${attempted} records, ${delivered} delivered, ${lost} lost`;
    const topic = `ring ${RINGS[index]}`;
    return lost === 0 ? ok(topic, text) : note(topic, text, 'each loss is a LOSS event in the log');
  });
  findings.push(
    ok('acts', `${stats.acts} by others, ${stats.ownActs} of our own, ${stats.counted} counted`),
  );
  for (const [site, count] of stats.errors.entries()) {
    if (count > 0) findings.push(note('kernel side', `${count} × ${ERROR_SITES[site] ?? site}`));
  }
  return findings;
}

function kernelCounts(config: Config): Finding[] {
  try {
    const stats = new StatsMap(join(config.runDir, 'bpf/stats'));
    const findings = counts(stats.read());
    stats.close();
    return findings;
  } catch (error) {
    if (!(error instanceof BpfError)) throw error;
    return [];
  }
}

function log(config: Config): Finding[] {
  try {
    if (!isThere(config.database)) return [note('log', `${config.database}: none yet`)];
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return [note('log', error.message)];
  }
  const { size } = statSync(config.database);
  return [ok('log', `${config.database}, ${(size / 1024 / 1024).toFixed(1)} MiB`)];
}

async function breaker(config: Config): Promise<Finding[]> {
  try {
    const held = await withLog(config, heldBack);
    if (held.length === 0) return [];
    const text = `${held.length} lowerings are held back: too many at once`;
    return [bad('breaker', text, './warden breaker')];
  } catch (error) {
    // That there is no log, or none to read, is said above.
    if (!(error instanceof CliError)) throw error;
    return [];
  }
}

/** Who is known by nothing but the path of a file. */
function weak({ loaders }: Policy): Finding[] {
  const names = new Set(
    loaders.filter(({ sha256 }) => sha256.length === 0).map(({ name }) => name),
  );
  if (names.size === 0) return [];
  const text = `${names.size} known by path alone (weak): ${[...names].join(', ')}`;
  return [note('loaders', text, 'match.sha256 of those that may do much')];
}

function policy(config: Config): Finding[] {
  try {
    const { policy: parsed, source, rollout } = loadPolicy(config);
    const stage = rollout === null ? '' : `, stage ${rollout.stage}`;
    const what = `mode ${parsed.mode}${stage}, ${parsed.loaders.length} known loaders`;
    return [ok('policy', `${source}: ${what}`), ...weak(parsed)];
  } catch (error) {
    return [bad('policy', (error as Error).message, './warden policy check FILE')];
  }
}

function print(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ topic }) => topic.length));
  const marks = { ok: colors.green('ok'), note: colors.yellow('--'), bad: colors.red('!!') };
  for (const { topic, grade, text, next } of findings) {
    const tail = next === '' ? '' : colors.dim(` → ${next}`);
    console.log(`${marks[grade]} ${topic.padEnd(width)} ${safeText(text)}${tail}`);
  }
}

async function doctor(options: { json?: boolean; state?: string; policy?: string }) {
  const config = configOf(options);
  const { probe, reason } = probeKernel();
  const findings = [
    ...machine(),
    ...kernel(probe, reason),
    ...policy(config),
    ...enforcement(config, probe),
    ...running(config, probe),
    ...kernelCounts(config),
    ...log(config),
    ...(await breaker(config)),
  ];
  const healthy = findings.every(({ grade }) => grade !== 'bad');
  if (config.json) {
    const mode = probe?.mode ?? null;
    console.log(JSON.stringify({ schema: 'warden.doctor/1', ok: healthy, mode, findings, probe }));
  } else print(findings);
  process.exitCode = healthy ? EXIT.ok : EXIT.findings;
}

export function doctorVerb(program: Command): void {
  program
    .command('doctor')
    .description('what this machine lets us see and deny, tried out, and whether all is well')
    .option('--json', 'one object, as JSON (schema warden.doctor/1)')
    .option('--policy <file>', 'policy in YAML (WARDEN_POLICY)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', '\nExample:\n  $ sudo ./warden doctor\nExit code 1: something is wrong.')
    .action(doctor);
}
