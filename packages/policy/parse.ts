import { checkMeaning } from './check.ts';
import { checkPrincipals, lintBases } from './check-principals.ts';
import { defaultPolicyText } from './default.ts';
import type { PolicyFile } from './file.ts';
import { lint } from './lint/lint.ts';
import type { Finding } from './lint/report.ts';
import type { Policy } from './policy.ts';
import { PolicyError, type Problem } from './problem.ts';
import { resolve } from './resolve.ts';
import { checkShape } from './schema.ts';
import { Source } from './source.ts';

export type Parsed =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads a policy file. A problem has line, column, what belongs there and the nearest valid name.
 * Never throws, whatever the text: at most 1 MiB, 8 levels, no aliases. `filename` is for messages.
 */
export function parsePolicy(text: string, filename: string): Parsed {
  const source = new Source(filename);
  source.readYaml(text);
  return judge(source);
}

/** Rules that golden cases name; null where there are no cases. */
export type CoveredBy = (policy: Policy) => ReadonlySet<string> | null;

/** Reads a policy file as `parsePolicy` does, and says what is to be said of one that is valid. */
export function inspectPolicy(
  text: string,
  filename: string,
  coveredBy: CoveredBy,
): { readonly parsed: Parsed; readonly findings: readonly Finding[] } {
  const source = new Source(filename);
  source.readYaml(text);
  const parsed = judge(source);
  if (!parsed.ok) {
    const severity = 'error' as const;
    return { parsed, findings: parsed.problems.map((one) => ({ ...one, severity })) };
  }
  const { policy } = parsed;
  const file = source.value as PolicyFile;
  return { parsed, findings: lint(source, { file, policy, covered: coveredBy(policy) }) };
}

/** Inverse of `canonical`. Throws `PolicyError`. */
export function parseCanonical(text: string): Policy {
  const source = new Source('canonical policy');
  try {
    source.readValue(JSON.parse(text));
  } catch (error) {
    source.add([], { code: 'YAML', message: `not readable as JSON (${(error as Error).name})` });
  }
  const parsed = judge(source);
  if (!parsed.ok) throw new PolicyError(parsed.problems);
  return parsed.policy;
}

let builtIn: Policy | null = null;

/** The policy of `defaultPolicyText`. */
export function defaultPolicy(): Policy {
  builtIn ??= parseBuiltIn();
  return builtIn;
}

function parseBuiltIn(): Policy {
  const parsed = parsePolicy(defaultPolicyText, 'built-in policy');
  if (!parsed.ok) throw new PolicyError(parsed.problems);
  return parsed.policy;
}

function judge(source: Source): Parsed {
  if (source.problems.length > 0 || !checkShape(source, 'policy')) return bad(source);
  const file = source.value as PolicyFile;
  checkMeaning(source, file);
  if (source.problems.length > 0) return bad(source);
  const policy = resolve(file, defaultPolicy);
  checkPrincipals(source, file, policy);
  if (source.problems.length === 0) lintBases(source, file, policy);
  return source.problems.length > 0 ? bad(source) : { ok: true, policy };
}

function bad(source: Source): Parsed {
  return { ok: false, problems: source.problems };
}
