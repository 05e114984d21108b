import { enforcing } from '../compile.ts';
import { Judge, type NamedAct } from '../judge.ts';
import type { Policy, PolicyLoader } from '../policy.ts';
import { type Linted, pathOfRule, type Report } from './report.ts';

/** What warden-load does to a guard that is attached: another policy, an override, unload. */
const MANAGING: readonly NamedAct[] = [
  { command: 'OBJ_GET' },
  { command: 'OBJ_GET_INFO_BY_FD' },
  { command: 'MAP_LOOKUP_ELEM' },
  { command: 'MAP_UPDATE_ELEM' },
  { command: 'MAP_DELETE_ELEM' },
  { command: 'MAP_GET_NEXT_KEY' },
  { command: 'PROG_TEST_RUN' },
  { command: 'OBJ_GET', foreign: true },
];

const load = (program: string, attach?: string): NamedAct => {
  return { command: 'PROG_LOAD', program, ...(attach !== undefined && { attach }) };
};

/** What systemd does for units: IPAddressDeny=, DeviceAllow=, SocketBindDeny= and the like. */
const STARTING: readonly NamedAct[] = [
  load('CGROUP_SKB'),
  load('CGROUP_DEVICE'),
  load('CGROUP_SOCK_ADDR'),
  { command: 'MAP_CREATE', map: 'LPM_TRIE' },
  { command: 'MAP_CREATE', map: 'ARRAY' },
  { command: 'MAP_CREATE', map: 'HASH' },
  { command: 'MAP_UPDATE_ELEM' },
  { command: 'MAP_LOOKUP_ELEM' },
  { command: 'PROG_ATTACH' },
  { command: 'PROG_DETACH' },
  { command: 'LINK_CREATE' },
];
/** RestrictFileSystems=: systemd goes on without it. */
const RESTRICTING = load('LSM', 'LSM_MAC');

const INIT_PATHS: readonly string[] = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'];
const STANDARD = 3;

function spelled({ command, program, map, foreign }: NamedAct): string {
  if (program !== undefined) return `${command} of ${program}`;
  if (map !== undefined) return `${command} of ${map}`;
  return foreign === true ? `${command} of what others made` : String(command);
}

interface Who {
  readonly tier: number;
  readonly loader: string | null;
}

/** Acts that would be refused, by rule. */
function refused(judge: Judge, acts: readonly NamedAct[], who: Who): Map<string, string[]> {
  const byRule = new Map<string, string[]>();
  for (const act of acts) {
    const { decision, rule } = judge.ask(act, who);
    if (decision !== 'deny' || rule === null) continue;
    byRule.set(rule, [...(byRule.get(rule) ?? []), spelled(act)]);
  }
  return byRule;
}

/** As the policy refuses, and as it would in mode enforce. */
function judges(policy: Policy) {
  const isEnforcing = policy.mode === 'enforce';
  const severity = isEnforcing ? 'error' : 'warning';
  const verb = isEnforcing ? 'is refused' : 'would be refused in mode enforce';
  return { judge: new Judge(enforcing(policy)), now: new Judge(policy), severity, verb } as const;
}

export function lintLockout(report: Report, linted: Linted): void {
  lintAgent(report, linted);
  lintInit(report, linted);
}

/**
 * The very file that loaded the guard is never refused; one of another version, after an upgrade,
 * is anybody's program.
 */
function lintAgent(report: Report, linted: Linted): void {
  const { policy } = linted;
  const { judge, verb } = judges(policy);
  const own = policy.loaders.find(({ path }) => path.endsWith('/warden-load'));
  const who = { tier: STANDARD, loader: own?.name ?? null };
  for (const [rule, acts] of refused(judge, MANAGING, who)) {
    const what = `${verb} ${acts.join(', ')} (${rule})`;
    const message = `a warden-load of another version, run by an administrator, ${what}`;
    const expected = 'a loader for it whose grant has these, or the grant "unknown" with them';
    report.add(pathOfRule(linted, rule), {
      severity: 'warning',
      code: 'LOCKOUT',
      message,
      expected,
    });
  }
}

/** Systemd's own loader acts as itself where it is an agent, else as root's uid. */
function initOf({ loaders, trusted }: Policy): { init: PolicyLoader | undefined; who: Who } {
  const init = loaders.find(({ path }) => INIT_PATHS.includes(path));
  const key = init?.kind === 'agent' ? `${init.name}@` : 'uid:0@';
  const isTrusted = trusted.some((principal) => principal.startsWith(key));
  return { init, who: { tier: isTrusted ? STANDARD + 1 : STANDARD, loader: init?.name ?? null } };
}

function lintInit(report: Report, linted: Linted): void {
  const { policy, file } = linted;
  const { judge, severity, verb } = judges(policy);
  const { init, who } = initOf(policy);
  const code = 'LOCKOUT';
  for (const [rule, acts] of refused(judge, STARTING, who)) {
    const what = `${verb} ${acts.join(', ')} (${rule})`;
    const message = `PID 1 (${INIT_PATHS[0]}) ${what}: units would not start`;
    report.add(pathOfRule(linted, rule), { severity, code, message });
  }
  for (const rule of refused(judge, [RESTRICTING], who).keys()) {
    const effect = 'RestrictFileSystems= has no effect, and S02 counts';
    const message = `PID 1 ${verb} PROG_LOAD of LSM (${rule}): ${effect}`;
    const expected = 'its principal under trusted, or no unit that uses it';
    report.add(pathOfRule(linted, rule), { severity: 'warning', code, message, expected });
  }
  if (policy.mode !== 'enforce' || (init?.kind === 'agent' && init.floor >= STANDARD)) return;
  const index = (file.loaders ?? []).findIndex(({ match }) => match.path === init?.path);
  const message = 'PID 1 has no floor: evidence against any daemon of root lowers it too';
  const expected =
    'systemd as an agent with floor: standard, where systemd-executor logs people in';
  const path = index < 0 ? ['loaders'] : ['loaders', index];
  report.add(path, { severity: 'warning', code, message, expected });
}
