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
  const text = policyFile === null ? defaultPolicyText : readText(policyFile);
  const parsed = parsePolicy(text, policyFile ?? 'built-in policy');
  if (parsed.ok && !enforce) return { policy: parsed.policy, text };
  if (parsed.ok) {
    const policy = enforcing(parsed.policy);
    return { policy, text: canonical(policy) };
  }
  const problems = parsed.problems.map((problem) => formatProblem(problem));
  throw new CliError(EXIT.config, `the policy cannot be used\n${problems.join('\n')}`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.config, `policy ${file}: ${message}`, { cause: error });
  }
}
