import { readFileSync } from 'node:fs';
import type { Config } from '#config';
import { defaultPolicyText, formatProblem, type Policy, parsePolicy } from '#policy';
import { CliError, EXIT } from './exit.ts';

/** The policy in force and its text: the file's, or the built-in one. Throws `CliError`. */
export function loadPolicy({ policyFile }: Pick<Config, 'policyFile'>): {
  policy: Policy;
  text: string;
} {
  const text = policyFile === null ? defaultPolicyText : readText(policyFile);
  const parsed = parsePolicy(text, policyFile ?? 'built-in policy');
  if (parsed.ok) return { policy: parsed.policy, text };
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
