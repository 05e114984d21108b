import Table from 'cli-table3';
import type { Command } from 'commander';
import { type PrincipalKey, safeText } from '#event';
import { displayNames } from './shared/display.ts';
import { EXIT } from './shared/exit.ts';
import { type HeldBack, heldBack } from './shared/held-back.ts';
import { configOf, withLog } from './shared/open.ts';
import {
  makeOverride,
  type OverrideOptions,
  recordAll,
  withOverrideOptions,
} from './shared/override.ts';

function print(found: readonly HeldBack[]): void {
  if (found.length === 0) {
    console.log('nothing is held back');
    return;
  }
  const display = displayNames();
  const rows = new Table({
    head: ['PRINCIPAL', 'STAYS', 'WOULD BE', 'SINCE', 'CAUSE'],
    style: { head: [], border: [], compact: true },
  });
  for (const { principal, stays, held_back, since, cause } of found) {
    rows.push([safeText(display(principal)), stays, held_back, since, safeText(cause)]);
  }
  console.log(rows.toString());
  console.log('./warden breaker approve --reason "…" lets them pass; ./warden pardon forgives one');
}

async function list(options: { json?: boolean; state?: string }): Promise<void> {
  const found = await withLog(configOf(options), heldBack);
  if (options.json === true) {
    for (const one of found) console.log(JSON.stringify({ schema: 'warden.breaker/1', ...one }));
  } else print(found);
  if (found.length > 0) process.exitCode = EXIT.findings;
}

async function approve(principals: readonly string[], options: OverrideOptions): Promise<void> {
  const held = await withLog(configOf(options), heldBack);
  const wanted = held.filter(
    ({ principal }) => principals.length === 0 || principals.includes(principal),
  );
  const overrides = wanted.map(({ principal }) =>
    makeOverride(options, { verb: 'approve', principal: principal as PrincipalKey }),
  );
  await recordAll(overrides, configOf(options));
  const approved = wanted.map(({ principal }) => principal);
  if (options.json === true) {
    console.log(JSON.stringify({ schema: 'warden.breaker-approved/1', approved }));
  } else console.log(`approved: ${approved.map(safeText).join(', ') || 'nothing is held back'}`);
}

export function breakerVerb(program: Command): void {
  const breaker = program
    .command('breaker')
    .description('lowerings that are held back, because too many were lowered at once');
  breaker
    .command('list', { isDefault: true })
    .description('what is held back; exit code 1 when something is')
    .option('--json', 'one principal a line, as JSON (schema warden.breaker/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', '\nExample:\n  $ ./warden breaker')
    .action(list);
  withOverrideOptions(
    breaker
      .command('approve [principals...]')
      .description('let them pass, all or those named: a named operator takes it on'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ sudo ./warden breaker approve --reason "a real attack, INC-9"',
    )
    .action(approve);
}
