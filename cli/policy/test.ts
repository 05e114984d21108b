import type { Command } from 'commander';
import { safeText } from '#event';
import { type CaseResult, formatStoryTime, type GoldenCase, hashPolicy, runCase } from '#policy';
import { TIER_NAMES } from '#trust';
import { colors } from '../shared/colors.ts';
import { CliError, EXIT } from '../shared/exit.ts';
import { readPolicy } from '../shared/policy-file.ts';
import { casesAt, casesBeside, usableCases } from './cases.ts';

interface TestOptions {
  readonly json?: boolean;
}

/** Changes of tier shown of a case that failed, the latest. */
const CHANGES_SHOWN = 12;

function failureLines(one: GoldenCase, { misses, changes }: CaseResult): string[] {
  const widths = {
    key: Math.max(...misses.map(({ key }) => key.length)),
    expected: Math.max(...misses.map(({ expected }) => expected.length)),
  };
  const told = misses.map(({ line, at, key, expected, found }) => {
    const wanted = colors.green(`expected ${expected.padEnd(widths.expected)}`);
    const what = `${at}: ${key.padEnd(widths.key)}`;
    return `  ${one.file}:${line}: ${what} ${wanted} ${colors.red(`found ${found}`)}`;
  });
  const shown = changes.slice(-CHANGES_SHOWN).map(({ tMs, from, to, why }) => {
    const at = formatStoryTime(tMs, one.startMs);
    return `    ${at}: ${TIER_NAMES[from]} to ${TIER_NAMES[to]} (${why})`;
  });
  const left = changes.length - shown.length;
  const head = left > 0 ? [`    ${left} changes of tier before`] : [];
  return shown.length === 0 ? told : [...told, '    what happened to the tier:', ...head, ...shown];
}

function print(one: GoldenCase, result: CaseResult): void {
  const mark = result.ok ? colors.green('ok  ') : colors.red('FAIL');
  console.log(`${mark} ${safeText(one.name)}`);
  if (!result.ok) console.log(failureLines(one, result).join('\n'));
}

function toJson(one: GoldenCase, { ok, misses, changes, expectations }: CaseResult) {
  return {
    schema: 'warden.policy-test/1',
    case: one.name,
    file: one.file,
    line: one.line,
    ok,
    expectations,
    misses: misses.map((miss) => ({ ...miss })),
    changes: changes.map(({ tMs, from, to, why }) => ({
      at: formatStoryTime(tMs, one.startMs),
      time: new Date(tMs).toISOString(),
      from: TIER_NAMES[from],
      to: TIER_NAMES[to],
      why,
    })),
  };
}

function testPolicy(file: string, named: readonly string[], options: TestOptions): void {
  const { policy } = readPolicy(file);
  const files = named.length > 0 ? casesAt(named) : casesBeside(file);
  const cases = usableCases(files, policy);
  if (cases.length === 0) {
    const beside = file.replace(/\.ya?ml$/, '');
    const next = `write ${beside}.cases.yaml, or name a file: docs/reference/policy-cases.md`;
    throw new CliError(EXIT.unavailable, `${file}: no golden cases beside it: ${next}`);
  }
  let failed = 0;
  for (const one of cases) {
    const result = runCase(one, policy);
    if (!result.ok) failed += 1;
    if (options.json === true) console.log(JSON.stringify(toJson(one, result)));
    else print(one, result);
  }
  if (options.json !== true) {
    const hash = hashPolicy(policy).slice(0, 16);
    console.log(`${cases.length - failed} of ${cases.length} cases as expected, policy ${hash}`);
  }
  if (failed > 0) process.exitCode = EXIT.findings;
}

export function testVerb(policy: Command): void {
  policy
    .command('test <file> [cases...]')
    .description('tell golden cases under a policy: a line for each, and where one differs')
    .option('--json', 'one object a case, as JSON (schema warden.policy-test/1)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ ./warden policy test policies/debian-server.yaml\n' +
        '  $ ./warden policy test policy.yaml cases/incidents.yaml\n\n' +
        'Without CASES: NAME.cases.yaml and cases/*.yaml beside the policy.\n' +
        'Exit code 1 when a case differs.',
    )
    .action(testPolicy);
}
