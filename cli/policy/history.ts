import Table from 'cli-table3';
import type { Command } from 'commander';
import { safeText } from '#event';
import { type Application, readApplied, readHistory } from '../shared/applied.ts';
import { colors } from '../shared/colors.ts';

const SHORT = 12;
const REASON = 48;
const at = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;

function stageOf({ stage, percent }: Application): string {
  return stage === 'canary' ? `canary ${percent}%` : stage;
}

function history(options: { readonly json?: boolean }): void {
  const now = readApplied();
  const all = readHistory().map((one) => ({
    ...one,
    inForce: one.hash === now?.hash && one.timeMs === now.timeMs,
  }));
  if (options.json === true) {
    for (const { inForce, timeMs, ...one } of all) {
      const time = new Date(timeMs).toISOString();
      const whole = { schema: 'warden.policy-history/1', ...one, time, in_force: inForce };
      console.log(JSON.stringify(whole));
    }
    return;
  }
  if (all.length === 0) {
    console.log('no policy was applied on this host: ./warden policy apply FILE');
    return;
  }
  const head = ['', 'HASH', 'STAGE', 'AUTHOR', 'REASON', 'WHEN', 'SIGNED BY'];
  const table = new Table({ head, style: { head: [], border: [], compact: true } });
  for (const one of all) {
    const { hash, author, reason, timeMs, operator, inForce } = one;
    const why = reason.length <= REASON ? reason : `${reason.slice(0, REASON - 1)}…`;
    const cells = [hash.slice(0, SHORT), stageOf(one), author, why, at(timeMs)];
    const row = [inForce ? '*' : '', ...cells, operator ?? 'nobody'].map(safeText);
    table.push(inForce ? row.map((cell) => colors.bold(cell)) : row);
  }
  console.log(table.toString());
}

export function historyVerb(policy: Command): void {
  policy
    .command('history')
    .description('what was applied on this host, and by whom; * is in force')
    .option('--json', 'one object a line, as JSON (schema warden.policy-history/1)')
    .addHelpText('after', '\nExample:\n  $ sudo ./warden policy history')
    .action(history);
}
