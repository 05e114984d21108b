import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { formatProblem, type GoldenCase, type Policy, type Problem, parseCases } from '#policy';
import { CliError, EXIT } from '../shared/exit.ts';
import { readText } from '../shared/policy-file.ts';

/** Files of golden cases that lie beside a policy: `NAME.cases.yaml`, and `cases/*.yaml`. */
export function casesBeside(policyFile: string): string[] {
  const folder = dirname(policyFile);
  const name = basename(policyFile, extname(policyFile));
  const own = join(folder, `${name}.cases.yaml`);
  const shared = join(folder, 'cases');
  return [...(existsSync(own) ? [own] : []), ...(isFolder(shared) ? yamlIn(shared) : [])];
}

/** Files of golden cases as an operator names them: files, and folders of them. */
export function casesAt(paths: readonly string[]): string[] {
  return paths.flatMap((path) => (isFolder(path) ? yamlIn(path) : [path]));
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function yamlIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Cases, and what is wrong with their files. Throws `CliError` for one that is not there. */
export function readCases(
  files: readonly string[],
  policy: Policy,
): { readonly cases: readonly GoldenCase[]; readonly problems: readonly Problem[] } {
  const parsed = files.map((file) => parseCases(readText(file, 'cases'), file, policy));
  return {
    cases: parsed.flatMap((one) => (one.ok ? one.cases : [])),
    problems: parsed.flatMap((one) => (one.ok ? [] : one.problems)),
  };
}

/** Throws `CliError` where a file of cases can't be used. */
export function usableCases(files: readonly string[], policy: Policy): readonly GoldenCase[] {
  const { cases, problems } = readCases(files, policy);
  if (problems.length === 0) return cases;
  const lines = problems.map(formatProblem).join('\n');
  throw new CliError(EXIT.config, `the cases cannot be used\n${lines}`);
}
