import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '#config';
import { encode, type Rollout, type Stage, safeText } from '#event';
import { canonical, diffPolicies, enforcesAnything, hashPolicy, type Policy } from '#policy';
import { appendRecords } from '../shared/append.ts';
import {
  type Applied,
  etcDir,
  keepRecord,
  keepText,
  readApplied,
  writeApplied,
} from '../shared/applied.ts';
import { colors } from '../shared/colors.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { isLoaded, runLoader, sealedToken } from '../shared/kernel.ts';
import { isThere } from '../shared/open.ts';
import { type LoadedPolicy, loadPolicy } from '../shared/policy-file.ts';
import { stagePolicy } from '../shared/staging.ts';
import { readKey } from '../shared/token.ts';
import { signRollout } from './signing.ts';

/** What every verb that changes the policy of this host takes. */
export interface RollOutOptions {
  readonly author: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly sign?: string;
  readonly json?: boolean;
  readonly state?: string;
}

/** Adds the options of every change of policy to a verb. */
export function withRollOutOptions(verb: Command): Command {
  return verb
    .requiredOption('--author <name>', 'who decided it')
    .requiredOption('--reason <text>', 'why: it is kept with the policy')
    .option('--ticket <id>', 'where it was decided')
    .option('--sign <key>', "an operator's private key, Ed25519 in PEM: ./warden policy keygen")
    .option('--json', 'one object, as JSON (schema warden.policy-apply/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)');
}

const CANARY_PERCENT = 10;

/** Percent of the hosts: all of them, or none, but for a canary. Throws `CliError`. */
export function percentOf(stage: Stage, text: string | undefined): number {
  if (stage !== 'canary') {
    if (text === undefined) return stage === 'enforce' ? 100 : 0;
    throw new CliError(EXIT.usage, `--percent is for --stage canary, not ${stage}`);
  }
  const percent = text === undefined ? CANARY_PERCENT : Number(text);
  if (Number.isInteger(percent) && percent >= 1 && percent <= 100) return percent;
  throw new CliError(EXIT.usage, `--percent ${JSON.stringify(text)}: expected 1 to 100`);
}

/** The policy in force on this host. */
export interface InForce extends LoadedPolicy {
  /** null: none was applied here. */
  readonly applied: (Applied & { readonly policy: Policy }) | null;
}

/** What was applied here, else what a start would use. Throws `CliError`. */
export function inForce(config: Config): InForce {
  const applied = readApplied();
  const policyFile = applied === null ? config.policyFile : null;
  const loaded = loadPolicy({ policyFile, enforce: false });
  return { ...loaded, applied };
}

export interface Target {
  readonly policy: Policy;
  readonly text: string;
  readonly stage: Stage;
  readonly percent: number;
}

/** What came of a change, for people and programs. */
export interface RolledOut {
  readonly before: { readonly hash: string; readonly source: string; readonly stage: Stage | null };
  readonly applied: Applied;
  readonly changes: readonly string[];
  /** `in force`, or why not. */
  readonly kernel: string;
  readonly log: string;
}

function checkStage({ policy, stage }: Target): void {
  if (stage === 'observe' || enforcesAnything(policy)) return;
  const what = `the policy observes: nothing would be refused in stage ${stage}`;
  throw new CliError(EXIT.usage, `${what}: write mode: enforce in it, and apply it`);
}

function recordOf(target: Target, options: RollOutOptions, previous: string | null): Rollout {
  const { policy, stage, percent } = target;
  for (const [name, text] of Object.entries({ author: options.author, reason: options.reason })) {
    if (/^[^\p{Cc}]{1,512}$/u.test(text) && text.trim() !== '') continue;
    const expected = 'one line of 1 to 512 characters';
    throw new CliError(EXIT.usage, `--${name} ${JSON.stringify(text)}: expected ${expected}`);
  }
  return {
    policyHash: hashPolicy(policy),
    policy: canonical(policy),
    stage,
    percent,
    author: options.author,
    reason: options.reason,
    ticket: options.ticket ?? null,
    timeMs: Date.now(),
    previous,
    operator: null,
    signature: null,
  };
}

function appliedOf(record: Rollout, text: string): Applied {
  const { policyHash: hash, policy: _canonical, signature, ...rest } = record;
  const hex = signature === null ? null : Buffer.from(signature).toString('hex');
  return { hash, ...rest, signature: hex, text };
}

/** Puts it into the kernel, where the programs are loaded. Throws `CliError`. */
function enact(config: Config, target: Target): string {
  if (!isLoaded(config)) return 'nothing is loaded here: it counts from the next start';
  const { policy, text, stage, percent } = target;
  const { compiled, source } = stagePolicy(config, { policy, text, rollout: { stage, percent } });
  const files = ['--policy', compiled, '--source', source];
  runLoader(['apply', '--dir', config.runDir, ...files, ...sealedToken()]);
  return 'in force';
}

async function recordInLog(config: Config, record: Rollout): Promise<string> {
  if (!isThere(config.database)) return 'no log here: nothing is recorded';
  const value = encode('Rollout', record);
  await appendRecords(config, [{ topic: 'bpf.policy', lane: 0, key: 'policy', value }]);
  return 'recorded';
}

/** The last policy that was another one: a promotion has no part in the way back. */
function previousOf({ policy, applied }: InForce, target: Target): string | null {
  const hash = hashPolicy(policy);
  return hash === hashPolicy(target.policy) ? (applied?.previous ?? null) : hash;
}

/** The way back when the kernel does not take what was written. */
function takeBack(before: InForce): void {
  if (before.applied === null) rmSync(join(etcDir(), 'applied.json'), { force: true });
  else {
    const { policy: _policy, ...applied } = before.applied;
    writeApplied(applied);
  }
}

/**
 * Makes a policy, at a stage, the one of this host: signed where it must be, written, in the
 * kernel, and in the log. Where the kernel refuses it, the one before stays. Throws `CliError`.
 */
export async function rollOut(
  config: Config,
  target: Target,
  options: RollOutOptions,
): Promise<RolledOut> {
  checkStage(target);
  const before = inForce(config);
  const hash = hashPolicy(before.policy);
  const key = options.sign === undefined ? null : readKey(options.sign);
  const record = signRollout(recordOf(target, options, previousOf(before, target)), key, {
    inForce: before.policy.operators,
    next: target.policy.operators,
  });
  const applied = appliedOf(record, target.text);
  keepText(hash, before.text);
  keepText(applied.hash, applied.text);
  writeApplied(applied);
  let kernel: string;
  try {
    kernel = enact(config, target);
  } catch (error) {
    takeBack(before);
    throw error;
  }
  keepRecord(applied);
  const log = await recordInLog(config, record);
  const changes = diffPolicies(before.policy, target.policy).map(({ text }) => text);
  const stage = before.applied?.stage ?? null;
  return { before: { hash, source: before.source, stage }, applied, changes, kernel, log };
}

const SHORT = 16;

function stageText({ stage, percent }: Pick<Applied, 'stage' | 'percent'>): string {
  if (stage === 'observe') return 'observe: nothing is refused, what would be is recorded';
  return stage === 'canary' ? `canary: refuses on ${percent}% of the hosts` : 'enforce';
}

/** Says what was done, in lines or as JSON. */
export function tell(rolled: RolledOut, { json }: RollOutOptions, notes: readonly string[] = []) {
  const { before, applied, changes, kernel, log } = rolled;
  if (json === true) {
    const { text: _text, ...said } = applied;
    const whole = { ...said, before, changes, kernel, log, notes };
    console.log(JSON.stringify({ schema: 'warden.policy-apply/1', ...whole }));
    return;
  }
  const { hash, author, operator } = applied;
  const same = before.hash === hash ? ', the same policy' : '';
  const by = `by ${author}${operator === null ? '' : `, signed by ${operator}`}`;
  const from = before.stage === null ? before.source : `stage ${before.stage}`;
  const lines = [
    ...changes.map((text) => `  ${text}`),
    `before  ${before.hash.slice(0, SHORT)}  ${from}`,
    `now     ${hash.slice(0, SHORT)}  stage ${stageText(applied)}${same}`,
    `${by}; kernel: ${kernel}; log: ${log}`,
  ];
  console.log(lines.map(safeText).join('\n'));
  for (const note of notes) console.log(colors.yellow(safeText(note)));
}
