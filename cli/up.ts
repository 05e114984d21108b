import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Config, hostIdentity, loadedState, openKeys } from '#config';
import { LogError } from '#log';
import type { Policy } from '#policy';
import { openSqliteStore, type Store, setAside } from '#state';
import { createLogger, type Logger } from '#telemetry';
import { runCollector, startCollector } from '../services/collector/index.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { launch } from './shared/launch.ts';
import { modeLines } from './shared/modes.ts';
import { configOf } from './shared/open.ts';
import { type LoadedPolicy, loadPolicy, policyHere } from './shared/policy-file.ts';
import { VERSION } from './shared/version.ts';
import { print, printEvents } from './tail.ts';
import { keepHouse } from './up/house.ts';
import { Loop, type Parts } from './up/loop.ts';
import { reportPolicy } from './up/said.ts';

interface UpOptions {
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly enforce?: boolean;
  readonly policy?: string;
  readonly state?: string;
  readonly logLevel?: string;
  readonly webhook?: string;
  readonly webhookToken?: string;
}

const COUNTERS_MS = 1000;
const INVENTORY_MS = 60_000;

/** The services can only start where they may write. */
function checkState({ stateDir }: Config): void {
  try {
    accessSync(stateDir, constants.W_OK);
  } catch (error) {
    const next = 'make it writable, or name another directory with --state';
    const { message } = error as Error;
    throw new CliError(EXIT.cannotCreate, `state directory: ${message}: ${next}`, { cause: error });
  }
}

/** Opens the log; one that can't be read is set aside, and its successor is a new incarnation. */
async function openStore({ database }: Config, logger: Logger, alone: boolean): Promise<Store> {
  try {
    return openSqliteStore(database, { alone });
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    if (error.code !== 'CORRUPT') {
      throw new CliError(EXIT.cannotCreate, `${database}: ${error.message}`, { cause: error });
    }
    const kept = setAside(database);
    logger.error({ reason: error.message, kept }, 'the log cannot be read: a new one begins');
    return openSqliteStore(database, { alone });
  }
}

export interface PartsOptions {
  readonly name: string;
  /** The keys were made elsewhere, and none is to be made here. */
  readonly enrolled: boolean;
  /** The collector runs in this thread, on this process's only connection to the log. */
  readonly alone: boolean;
}

export async function startParts(
  config: Config,
  policy: Policy,
  { name, enrolled, alone }: PartsOptions,
): Promise<Parts> {
  checkState(config);
  const logger = createLogger({ level: config.logLevel, name });
  const { bootId, mode } = loadedState(config.runDir);
  const host = hostIdentity(process.env);
  const { host: hostKey, control } = openKeys(config.stateDir, {
    create: enrolled ? ['control'] : ['host', 'control'],
  });
  const store = await openStore(config, logger, alone);
  const options = {
    pins: join(config.runDir, 'bpf'),
    host,
    hostKey,
    bootId,
    mode,
    policy,
    version: VERSION,
    inventoryMs: INVENTORY_MS,
    countersMs: COUNTERS_MS,
    logBytes: config.logBytes,
  };
  const { database, logLevel } = config;
  const collector = alone
    ? await runCollector({ ...options, store, logger })
    : await startCollector({ ...options, database, logLevel });
  const hostKeyOf = (name: string) => (name === host ? hostKey : null);
  const keys = { hostKeyOf, control };
  return { config, host, mode, bootId, policy, logger, store, collector, keys };
}

/**
 * The services can't go on: everything is ended before a word is said, so that nobody writes to a
 * log that is being set aside, and the monitor can start them again.
 */
export async function abandon(parts: Parts, error: unknown): Promise<never> {
  const { collector, store, config } = parts;
  await collector.terminate();
  await store.close();
  const { name, code, message } = error as LogError;
  if (name !== 'LogError' || code !== 'CORRUPT') throw error;
  const kept = setAside(config.database);
  const text = `${config.database}: ${message}: kept as ${kept}, a new log begins`;
  throw new CliError(EXIT.temporary, text, { cause: error });
}

/** Takes reported risk where the configuration says so. Returns how to stop. */
async function openWebhook({ config, store, keys, logger }: Parts): Promise<() => Promise<void>> {
  if (config.webhook === null) return async () => undefined;
  const { startWebhook } = await import('../services/webhook/index.ts');
  const { control: controlKey } = keys;
  const now = () => Date.now();
  try {
    const server = await startWebhook({ ...config.webhook, store, controlKey, logger, now });
    return () => server.close();
  } catch (error) {
    const { message } = error as Error;
    throw new CliError(EXIT.unavailable, `webhook: ${message}`, { cause: error });
  }
}

/** Shows, folds and enforces until it is asked to stop or something fails. */
async function serveUntilAsked(
  parts: Parts,
  loaded: LoadedPolicy,
  signals: Record<'fold' | 'show', AbortController>,
) {
  const { store, collector, config } = parts;
  const asked = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.resolve());
  if (!config.json) await print(modeLines({ ...parts, policy: policyHere(loaded) }));
  const closeWebhook = await openWebhook(parts);
  await reportPolicy(parts, loaded.rollout);
  const from = await store.log.end({ topic: 'bpf.enriched', partition: 0 });
  const loop = new Loop(parts, signals.fold.signal).run();
  const house = keepHouse(store, config, { logger: parts.logger, signal: signals.fold.signal });
  const { signal } = signals.show;
  const shown = printEvents(store, { from, follow: true, json: config.json, signal });
  await Promise.race([asked.promise, collector.ended, loop, house, shown]);
  await closeWebhook();
  await collector.stop();
  signals.fold.abort();
  await Promise.all([loop, house]);
  signals.show.abort();
  await shown;
}

/** The services' side: unprivileged, under the eyes of warden-load. */
async function serve(config: Config): Promise<void> {
  // Staged as it is to be: nothing is added to it here.
  const policyFile = process.env.WARDEN_STAGED_POLICY ?? null;
  const staged = { policyFile, enforce: false };
  const loaded = loadPolicy(staged);
  const how = { name: 'up', enrolled: false, alone: false };
  const parts = await startParts(config, loaded.policy, how);
  const signals = { fold: new AbortController(), show: new AbortController() };
  try {
    await serveUntilAsked(parts, loaded, signals);
  } catch (error) {
    signals.fold.abort();
    signals.show.abort();
    await abandon(parts, error);
  }
  await parts.store.close();
}

async function up(options: UpOptions): Promise<void> {
  const config = configOf(options);
  if (process.env.WARDEN_SERVICE === 'standalone') await serve(config);
  else launch(config, { keep: options.keep === true });
}

export function upVerb(program: Command): void {
  program
    .command('up')
    .description('record, score and show every use of BPF on this machine (as root)')
    .option('--json', 'one event a line, as JSON (schema bpf.enriched/1)')
    .option('--keep', 'leave the programs attached at the end: nothing goes unrecorded meanwhile')
    .option('--enforce', 'mode enforce, whatever the policy says (WARDEN_ENFORCE=1)')
    .option('--policy <file>', 'policy in YAML (WARDEN_POLICY); see: ./warden policy show')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE), by default /var/lib/warden')
    .option(
      '--webhook <address>',
      'take reported risk there, such as 127.0.0.1:7072 (WARDEN_WEBHOOK)',
    )
    .option('--webhook-token <file>', 'the token that callers must show (WARDEN_WEBHOOK_TOKEN)')
    .option('--log-level <level>', 'trace to silent (WARDEN_LOG_LEVEL)')
    .addHelpText('after', '\nExample:\n  $ sudo ./warden up --json | jq -c .act')
    .action(up);
}
