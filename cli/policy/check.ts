import type { Command } from 'commander';
import {
  type Finding,
  formatProblem,
  hashPolicy,
  inspectPolicy,
  noiseFloors,
  type Policy,
  runCase,
} from '#policy';
import { colors } from '../shared/colors.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { readText } from '../shared/policy-file.ts';
import { casesBeside, usableCases } from './cases.ts';

interface CheckOptions {
  readonly json?: boolean;
  readonly strict?: boolean;
}

/** A policy that was checked, with what is to be said of it. */
export interface Checked {
  /** null where it can't be read. */
  readonly policy: Policy | null;
  readonly text: string;
  readonly findings: readonly Finding[];
  readonly errors: number;
}

/** Checks a file, with the golden cases beside it. Throws `CliError` for one that is not there. */
export function checkFile(file: string): Checked {
  const text = readText(file, 'policy');
  const { parsed, findings } = inspectPolicy(text, file, (policy) => coveredBeside(file, policy));
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return { policy: parsed.ok ? parsed.policy : null, text, findings, errors };
}

function coveredBeside(file: string, policy: Policy): ReadonlySet<string> | null {
  const files = casesBeside(file);
  if (files.length === 0) return null;
  const cases = usableCases(files, policy);
  return new Set(cases.flatMap((one) => runCase(one, policy).rules));
}

export function findingLine(finding: Finding): string {
  const text = formatProblem(finding);
  const color = finding.severity === 'error' ? colors.red : colors.yellow;
  return `${color(finding.severity)} ${text}`;
}

const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? '' : 's'}`;

function print(file: string, { policy, findings, errors }: Checked): void {
  for (const finding of findings) console.log(findingLine(finding));
  const found = `${count(errors, 'error')}, ${count(findings.length - errors, 'warning')}`;
  if (policy === null) console.log(`${file}: not usable: ${found}`);
  else {
    const left = Math.min(...noiseFloors(policy).map((one) => one.left));
    console.log(`${file}: usable, sha256 ${hashPolicy(policy)}`);
    console.log(`${found}; low-confidence signals alone leave at least ${left} of any base`);
  }
}

function check(file: string, { json, strict }: CheckOptions): void {
  const checked = checkFile(file);
  const { policy, findings, errors } = checked;
  const ok = errors === 0 && (strict !== true || findings.length === 0);
  if (json === true) {
    const hash = policy === null ? null : hashPolicy(policy);
    const floors = policy === null ? [] : noiseFloors(policy);
    const noise = floors.map(({ what, left }) => ({ base: what, left }));
    const said = { file, ok, hash, findings, noise_floor: noise };
    console.log(JSON.stringify({ schema: 'warden.policy-check/2', ...said }));
  } else print(file, checked);
  if (policy === null) process.exitCode = EXIT.config;
  else if (!ok) process.exitCode = EXIT.findings;
}

/** Throws `CliError` where a policy has errors, naming them. */
export function sound(file: string): {
  policy: Policy;
  text: string;
  findings: readonly Finding[];
} {
  const { policy, text, findings, errors } = checkFile(file);
  if (policy !== null && errors === 0) return { policy, text, findings };
  const lines = findings.filter(({ severity }) => severity === 'error').map(formatProblem);
  throw new CliError(EXIT.config, `the policy is not applied: it has errors\n${lines.join('\n')}`);
}

export function checkVerb(policy: Command): void {
  policy
    .command('check <file>')
    .description(
      'say what is wrong with a policy, and what is unwise: line, column, what belongs there',
    )
    .option('--strict', 'warnings count as errors')
    .option('--json', 'as JSON (schema warden.policy-check/2)')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden policy check policy.yaml\n\n' +
        'Golden cases beside the file are told too, to see which rules they name.\n' +
        'Exit codes: 0 usable; 1 errors, or warnings with --strict; 78 not readable as a policy.',
    )
    .action(check);
}
