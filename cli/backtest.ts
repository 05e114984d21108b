import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import type { Command } from 'commander';
import { backtest, type Difference, type Measures, type Past, type Report } from '#backtest';
import { safeText } from '#event';
import type { Policy } from '#policy';
import { curve } from './shared/curve.ts';
import { displayNames } from './shared/display.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';
import {
  policyInForce,
  progress,
  readPast,
  readPolicy,
  sayShort,
  windowOf,
} from './shared/past.ts';

interface BacktestOptions {
  readonly policy: string;
  readonly baseline?: string;
  readonly since: string;
  readonly until?: string;
  readonly html?: string;
  readonly json?: boolean;
  readonly state?: string;
}

const ROWS_MAX = 20;

const plain = (head: string[]) =>
  new Table({ head, style: { head: [], border: [], compact: true } });

const percent = (share: number | null): string =>
  share === null ? 'no labels' : `${(share * 100).toFixed(1)} %`;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function measureRows(measures: Measures): string[] {
  const { confusion, timeToRestrict } = measures;
  const { incidentsRestricted, incidentsMissed, alarmsRestricted, alarmsLeft } = confusion;
  return [
    `${incidentsRestricted} of ${incidentsRestricted + incidentsMissed}`,
    `${alarmsRestricted} of ${alarmsRestricted + alarmsLeft}`,
    percent(measures.precision),
    percent(measures.recall),
    timeToRestrict === null
      ? '-'
      : `${seconds(timeToRestrict.p50)} / ${seconds(timeToRestrict.p95)}`,
    measures.restrictedHoursPerWeek.toFixed(1),
    `${measures.restrictedPrincipals}`,
    `${measures.tierChanges}`,
    `${measures.refusedActs}`,
  ];
}

const LABELS = [
  'incidents restricted after a minute',
  'false alarms restricted after a minute',
  'precision, by state',
  'recall, by state',
  'time to restrict, p50 / p95',
  'restricted hours a week',
  'principals restricted at some time',
  'tier changes',
  'recorded acts that would be refused',
];

function measureTable({ baseline, candidate }: Report): string {
  const rows = plain(['', 'BASELINE', 'CANDIDATE']);
  const [before, after] = [measureRows(baseline), measureRows(candidate)];
  for (const [i, label] of LABELS.entries()) {
    rows.push([label, before[i] as string, after[i] as string]);
  }
  return rows.toString();
}

function marginalTable({ marginal }: Report): string {
  const head = ['WITHOUT', 'RAISED', 'PRECISION', 'RECALL', 'HOURS A WEEK', ''];
  const rows = plain(head);
  for (const one of marginal) {
    const note = one.changesNothing ? 'would change nothing' : '';
    const hours = one.restrictedHoursPerWeek.toFixed(1);
    const { signal, raised, precision, recall } = one;
    rows.push([signal, `${raised}`, percent(precision), percent(recall), hours, note]);
  }
  return rows.toString();
}

const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;

function differenceTable(differences: readonly Difference[]): string {
  const display = displayNames();
  const head = ['WHO', 'FROM', 'MINUTES', 'WAS', 'WOULD BE', 'REFUSED', 'CAUSE'];
  const rows = plain(head);
  for (const one of differences.slice(0, ROWS_MAX)) {
    const { principal, fromMs, minutes, before, after, newlyRefused, noLongerRefused } = one;
    const acts = `+${newlyRefused} -${noLongerRefused}`;
    const name = display(principal);
    const who = safeText(name === principal ? name : `${name} (${principal})`);
    const from = minute(fromMs);
    rows.push([who, from, minutes.toFixed(0), before, after, acts, safeText(one.cause) || '-']);
  }
  return rows.toString();
}

function print(report: Report): void {
  const { differences, marginal, silent, labels, principals, records, window } = report;
  console.log(
    `${minute(window.fromMs)} to ${minute(window.toMs)}: ${principals} principals, ` +
      `${records} records, ${labels} labels`,
  );
  console.log(measureTable(report));
  if (labels === 0) {
    console.log('no labels in this time: ./warden label says what really happened');
  }
  if (marginal.length > 0) console.log(`\nwhat each signal is worth\n${marginalTable(report)}`);
  if (silent.length > 0) console.log(`never raised: ${silent.join(' ')}`);
  if (differences.length === 0) {
    console.log('\nnobody would have stood at another tier at any time');
    return;
  }
  console.log(`\nwho would have stood at another tier, the longest first`);
  console.log(differenceTable(differences));
  const more = differences.length - ROWS_MAX;
  if (more > 0) console.log(`and ${more} more: --json has all`);
}

async function run(options: BacktestOptions): Promise<void> {
  const { policy: file, ...rest } = options;
  const config = configOf(rest);
  const candidate = readPolicy(file);
  const window = windowOf(options);
  const past = await readPast(config);
  const { baseline: other } = options;
  const baseline = other === undefined ? policyInForce(config, past) : readPolicy(other);
  sayShort(past, window.fromMs);
  const onProgress = progress('judging');
  const report = backtest({ past, baseline, candidate, window, marginal: true, onProgress });
  if (options.json === true) {
    console.log(JSON.stringify({ schema: 'warden.backtest/1', ...report }));
  } else print(report);
  if (options.html !== undefined) {
    const names = [other ?? 'in force', file] as const;
    await writePage(options.html, { report, past, baseline, candidate, names });
  }
}

interface Judged {
  readonly report: Report;
  readonly past: Past;
  readonly baseline: Policy;
  readonly candidate: Policy;
  readonly names: readonly [string, string];
}

const CURVES_MAX = 6;

async function writePage(html: string, judged: Judged): Promise<void> {
  // Only here: drawing takes more to load than every other verb together.
  const { backtestPage } = await import('./shared/backtest-page.ts');
  const { report, past, baseline, candidate, names } = judged;
  const { window, differences } = report;
  const most = [...new Set(differences.map(({ principal }) => principal))].slice(0, CURVES_MAX);
  const curves = most.map((principal) => ({
    principal,
    before: curve(past, principal, baseline, window),
    after: curve(past, principal, candidate, window),
  }));
  const [before, after] = [measureRows(report.baseline), measureRows(report.candidate)];
  const measures = LABELS.map(
    (label, i) => [label, before[i] as string, after[i] as string] as const,
  );
  try {
    writeFileSync(html, backtestPage({ report, curves, measures, names }));
  } catch (error) {
    throw new CliError(EXIT.cannotCreate, `${html}: ${(error as Error).message}`, { cause: error });
  }
}

export function backtestVerb(program: Command): void {
  program
    .command('backtest')
    .description('what another policy would have done: the past judged again by production code')
    .requiredOption('--policy <file>', 'the candidate')
    .option('--baseline <file>', 'what it is compared with, by default the policy in force')
    .option('--since <span>', 'how far back', '30d')
    .option('--until <time>', 'where the time ends, by default now')
    .option('--html <file>', 'also a page with plots: one file, no scripts, nothing to fetch')
    .option('--json', 'one object, as JSON (schema warden.backtest/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nThe log is only read. Timers run at their very times, on both sides.\n' +
        '\nExample:\n  $ ./warden backtest --policy new.yaml --since 30d',
    )
    .action(run);
}
