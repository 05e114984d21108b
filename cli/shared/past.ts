import { readFileSync } from 'node:fs';
import { type Past, PastReader } from '#backtest';
import type { Config } from '#config';
import { formatProblem, type Policy, parseCanonical, parsePolicy } from '#policy';
import type { Store } from '#state';
import { warningColors } from './colors.ts';
import { CliError, EXIT } from './exit.ts';
import { withLog } from './open.ts';
import { loadPolicy } from './policy-file.ts';
import { parseInstant, parseSpan } from './span.ts';

const SIGNALS = { topic: 'bpf.signals', partition: 0 } as const;
const PAGE = { records: 10_000, bytes: 16 * 1024 * 1024 };

/** A bar on standard error, for a person who waits; nothing anywhere else. */
export function progress(what: string): (share: number) => void {
  const { stderr } = process;
  if (!stderr.isTTY) return () => undefined;
  let shown = -1;
  return (share) => {
    const done = Math.round(Math.min(1, share) * 30);
    if (done === shown) return;
    shown = done;
    const bar = `${'█'.repeat(done)}${'░'.repeat(30 - done)}`;
    stderr.write(`\r${what} ${bar} ${Math.round(share * 100)} %${done === 30 ? '\n' : ''}`);
  };
}

/** Reads all of `bpf.signals`. Throws `CliError` when there is nothing to judge by. */
export async function readPast(config: Config): Promise<Past> {
  const past = await withLog(config, readAll);
  if (past.principals.size > 0) return past;
  throw new CliError(EXIT.data, `${config.database}: nothing has been recorded yet to judge by`);
}

async function readAll({ log }: Store): Promise<Past> {
  const reader = new PastReader();
  const bar = progress('reading');
  const [start, end] = [await log.start(SIGNALS), await log.end(SIGNALS)];
  for (let next = start; next < end; ) {
    const records = await log.read(SIGNALS, next, PAGE);
    for (const { value } of records) reader.take(value);
    const last = records.at(-1);
    if (last === undefined) break;
    next = last.offset + 1;
    bar((next - start) / (end - start));
  }
  return reader.past();
}

/** A policy file, checked. Throws `CliError` with every problem. */
export function readPolicy(file: string): Policy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(EXIT.config, `policy ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const parsed = parsePolicy(text, file);
  if (parsed.ok) return parsed.policy;
  const problems = parsed.problems.map(formatProblem).join('\n');
  throw new CliError(EXIT.config, `the policy cannot be used\n${problems}`);
}

/** The policy that acted last in the log, else the one that would now. */
export function policyInForce(config: Config, { policy }: Past): Policy {
  return policy === null ? loadPolicy(config).policy : parseCanonical(policy);
}

export interface TimeOptions {
  readonly since: string;
  readonly until?: string;
}

/** The time that is judged: it ends at `--until`, or now. */
export function windowOf({ since, until }: TimeOptions): { fromMs: number; toMs: number } {
  const toMs = until === undefined ? Date.now() : parseInstant('--until', until);
  return { fromMs: toMs - parseSpan('--since', since), toMs };
}

/** Says where the log begins later than the time asked for: what is missing can't be judged. */
export function sayShort({ firstMs }: Past, fromMs: number): void {
  if (firstMs === null || firstMs <= fromMs) return;
  const begin = new Date(firstMs).toISOString().slice(0, 16);
  process.stderr.write(
    warningColors.yellow(`the log begins at ${begin}Z: nothing before is judged\n`),
  );
}
