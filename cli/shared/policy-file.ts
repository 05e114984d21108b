import { existsSync, readFileSync } from 'node:fs';
import { type Config, hostIdentity } from '#config';
import {
  canonical,
  defaultPolicyText,
  enforcing,
  formatProblem,
  type Policy,
  parsePolicy,
  type Reach,
  staged,
} from '#policy';
import { etcDir, readApplied } from './applied.ts';
import { CliError, EXIT } from './exit.ts';

/** A policy with where it is from and how far it is rolled out. */
export interface LoadedPolicy {
  readonly policy: Policy;
  readonly text: string;
  /** Name of a file, `applied` or `built-in`. */
  readonly source: string;
  /** null: it counts as it says. */
  readonly rollout: Reach | null;
}

/**
 * The policy in force and its text: the file's, else the one that was applied, else the built-in
 * one; with `enforce` in mode enforce whatever it says. Throws `CliError`.
 */
export function loadPolicy({
  policyFile,
  enforce,
}: Pick<Config, 'policyFile' | 'enforce'>): LoadedPolicy {
  const read = policyFile === null ? appliedHere() : fromFile(policyFile);
  if (!enforce) return read;
  const policy = enforcing(read.policy);
  return { ...read, policy, text: canonical(policy), rollout: null };
}

function fromFile(file: string): LoadedPolicy {
  return { ...readPolicy(file), source: file, rollout: rolloutOf(file) };
}

/** What was applied on this host, else the built-in policy. */
function appliedHere(): LoadedPolicy {
  const applied = readApplied();
  if (applied === null) {
    return { ...usable(defaultPolicyText, BUILT_IN), source: 'built-in', rollout: null };
  }
  const { policy, text, stage, percent } = applied;
  return { policy, text, source: `${etcDir()}/applied.json`, rollout: { stage, percent } };
}

/** Beside a staged policy: how far it is rolled out. */
export const rolloutFile = (file: string): string => `${file}.rollout`;

function rolloutOf(file: string): Reach | null {
  const beside = rolloutFile(file);
  if (!existsSync(beside)) return null;
  try {
    return JSON.parse(readText(beside, 'rollout')) as Reach;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CliError(EXIT.config, `${beside}: not JSON: start again`, { cause: error });
  }
}

/** The policy as this host follows it: one that is not rolled out that far only observes. */
export function policyHere({ policy, rollout }: Pick<LoadedPolicy, 'policy' | 'rollout'>): Policy {
  return staged(policy, hostIdentity(process.env), rollout ?? undefined);
}

const BUILT_IN = 'built-in policy';

/** A policy that can be used, with its text. Throws `CliError`. */
export function readPolicy(file: string): { policy: Policy; text: string } {
  return usable(readText(file, 'policy'), file);
}

function usable(text: string, name: string): { policy: Policy; text: string } {
  const parsed = parsePolicy(text, name);
  if (parsed.ok) return { policy: parsed.policy, text };
  const problems = parsed.problems.map((problem) => formatProblem(problem));
  throw new CliError(EXIT.config, `the policy cannot be used\n${problems.join('\n')}`);
}

/** Throws `CliError`; `what` is for the message. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.config, `${what} ${file}: ${message}`, { cause: error });
  }
}
