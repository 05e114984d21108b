import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { openKeys } from '#config';
import { EventError, encode, laneOf, riskOf } from '#event';
import { seal } from '#fold';
import type { Output } from '#log';
import { appendRecords } from './shared/append.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { configOf } from './shared/open.ts';

interface RiskOptions {
  readonly json?: boolean;
  readonly state?: string;
}

const BYTES_MAX = 16 * 1024 * 1024;
const REPORTS_MAX = 50_000;
const BATCH = 1000;

function linesOf(file: string): string[] {
  try {
    if (file !== '-' && statSync(file).size > BYTES_MAX) throw new Error('more than 16 MiB');
    return readFileSync(file === '-' ? 0 : file, 'utf8').split('\n');
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.data, `${file}: ${message}`, { cause: error });
  }
}

/** A report a line; all are read before any is taken. Throws `CliError` with the line. */
function reportsOf(file: string, key: Uint8Array): Output[] {
  const outputs: Output[] = [];
  for (const [index, line] of linesOf(file).entries()) {
    if (line.trim() === '') continue;
    if (outputs.length >= REPORTS_MAX) {
      throw new CliError(EXIT.data, `${file}: more than ${REPORTS_MAX} reports: split it`);
    }
    try {
      const external = seal('External', riskOf(JSON.parse(line), Date.now()), key);
      const { principal } = external;
      const value = encode('External', external);
      outputs.push({ topic: 'bpf.external', lane: laneOf(principal), key: principal, value });
    } catch (error) {
      if (!(error instanceof EventError) && !(error instanceof SyntaxError)) throw error;
      throw new CliError(EXIT.data, `${file}:${index + 1}: ${error.message}`, { cause: error });
    }
  }
  return outputs;
}

async function importRisk(file: string, options: RiskOptions): Promise<void> {
  const config = configOf(options);
  const { control } = openKeys(config.stateDir, { create: [] });
  const outputs = reportsOf(file, control);
  for (let at = 0; at < outputs.length; at += BATCH) {
    await appendRecords(config, outputs.slice(at, at + BATCH));
  }
  const { length } = outputs;
  if (config.json) console.log(JSON.stringify({ schema: 'warden.risk/1', file, taken: length }));
  else console.log(`${length} reports taken; the same source and id twice changes nothing`);
}

export function riskVerb(program: Command): void {
  const risk = program.command('risk').description('risk that other systems report (signal S18)');
  risk
    .command('import <file>')
    .description('take reports from a file of JSON lines, - for standard input')
    .option('--json', 'one object, as JSON (schema warden.risk/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nA line: {"id":"r-17","source":"idp","principal":"uid:10001@corp","share":0.5,\n' +
        '         "reason":"impossible travel"}, share: of the weight of S18\n' +
        '\nExample:\n  $ sudo ./warden risk import reports.jsonl',
    )
    .action(importRisk);
}
