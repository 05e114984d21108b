import { readFileSync } from 'node:fs';
import type { Config } from '#config';
import {
  canonical,
  defaultPolicyText,
  enforcing,
  formatProblem,
  type Policy,
  parsePolicy,
} from '#policy';
import { CliError, EXIT } from './exit.ts';

/**
 * The policy in force and its text: the file's, or the built-in one, and with `enforce` in mode
 * enforce whatever it says. Throws `CliError`.
 */
export function loadPolicy({ policyFile, enforce }: Pick<Config, 'policyFile' | 'enforce'>): {
  policy: Policy;
  text: string;
} {
  const read = policyFile === null ? usable(defaultPolicyText, BUILT_IN) : readPolicy(policyFile);
  if (!enforce) return read;
  const policy = enforcing(read.policy);
  return { policy, text: canonical(policy) };
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
