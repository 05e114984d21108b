import { type Command, InvalidArgumentError } from 'commander';
import { decode, eventJson } from '#event';
import type { LogRecord } from '#log';
import type { Store } from '#state';
import { displayNames } from './shared/display.ts';
import { follow } from './shared/follow.ts';
import { configOf, openLog } from './shared/open.ts';
import { header, line, type Row } from './shared/table.ts';

const TOPIC = { topic: 'bpf.enriched', partition: 0 } as const;

/** Writes to standard output, waiting when a reader is slow. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => (error ? reject(error) : resolve()));
  });
}

/** Prints events from `from` on until the signal, or the end when not following. */
export async function printEvents(
  store: Store,
  options: { from: number; follow: boolean; json: boolean; signal: AbortSignal },
): Promise<void> {
  const { json } = options;
  const table = { columns: process.stdout.columns ?? 145, color: process.stdout.isTTY === true };
  const display = displayNames();
  if (!json) await print(header(table));
  const show = (record: LogRecord): string => {
    const enriched = decode('Enriched', record.value);
    const event = eventJson(enriched, decode('Event', enriched.event), display);
    return json ? JSON.stringify(event) : line(event as unknown as Row, table);
  };
  for await (const records of follow(store, { topic: 'bpf.enriched', ...options })) {
    await print(records.map(show).join('\n'));
  }
}

function count(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('expected a number from 0.');
  return Number(value);
}

interface TailOptions {
  readonly lines: number;
  readonly follow: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
  readonly state?: string;
}

async function tail(options: TailOptions): Promise<void> {
  const config = configOf(options);
  const store = await openLog(config);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const start = await store.log.start(TOPIC);
  const end = await store.log.end(TOPIC);
  const from = options.all === true ? start : Math.max(start, end - options.lines);
  try {
    await printEvents(store, {
      from,
      follow: options.follow,
      json: config.json,
      signal: stop.signal,
    });
  } finally {
    await store.close();
  }
}

export function tailVerb(program: Command): void {
  program
    .command('tail')
    .description('show events as they are recorded')
    .option('-n, --lines <n>', 'begin with the last n events', count, 20)
    .option('--all', 'begin with the oldest event')
    .option('--no-follow', 'end at the last event instead of waiting for more')
    .option('--json', 'one event a line, as JSON (schema bpf.enriched/1)')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText(
      'after',
      '\nExample:\n  $ ./warden tail --all --no-follow --json | jq .act.command',
    )
    .action(tail);
}
