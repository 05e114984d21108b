import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SubjectsMap } from '#bpf';
import { type Config, hostIdentity, loadedState, openKeys } from '#config';
import { type HostName, hostPrincipal, type Mode } from '#event';
import { type Fault, FOLD_POSITION, type OpenKeys } from '#fold';
import { LogError } from '#log';
import type { Policy } from '#policy';
import { openSqliteStore, type Store, setAside } from '#state';
import { createLogger, type Logger } from '#telemetry';
import { type CollectorThread, startCollector, systemEvent } from '../services/collector/index.ts';
import { Enforcer } from '../services/enforcer/index.ts';
import { Enricher } from '../services/enricher/index.ts';
import { CliError, EXIT } from './shared/exit.ts';
import { APP, launch, modeLines } from './shared/launch.ts';
import { configOf } from './shared/open.ts';
import { loadPolicy } from './shared/policy-file.ts';
import { print, printEvents } from './tail.ts';

interface UpOptions {
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly policy?: string;
  readonly state?: string;
  readonly logLevel?: string;
}

const COUNTERS_MS = 1000;
const INVENTORY_MS = 60_000;
const HOUSEKEEPING_MS = 60_000;
/** Bytes of a topic that are kept, and when a snapshot is due. */
const TOPIC_BYTES = 256 * 1024 * 1024;
const SNAPSHOT_BYTES = 64 * 1024 * 1024;
const SNAPSHOTS = 3;

interface Parts {
  readonly config: Config;
  readonly host: HostName;
  readonly mode: Mode;
  readonly policy: Policy;
  readonly logger: Logger;
  readonly store: Store;
  readonly collector: CollectorThread;
  readonly keys: OpenKeys;
}

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
async function openStore({ database }: Config, logger: Logger): Promise<Store> {
  try {
    return await openSqliteStore(database);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    if (error.code !== 'CORRUPT') {
      throw new CliError(EXIT.cannotCreate, `${database}: ${error.message}`, { cause: error });
    }
    const kept = setAside(database);
    logger.error({ reason: error.message, kept }, 'the log cannot be read: a new one begins');
    return await openSqliteStore(database);
  }
}

async function startParts(config: Config, policy: Policy): Promise<Parts> {
  checkState(config);
  const logger = createLogger({ level: config.logLevel, name: 'up' });
  const { bootId, mode } = loadedState(config.runDir);
  const host = hostIdentity(process.env);
  const { host: hostKey, control } = openKeys(config.stateDir, { create: true });
  const store = await openStore(config, logger);
  const collector = await startCollector({
    database: config.database,
    pins: join(config.runDir, 'bpf'),
    host,
    hostKey,
    bootId,
    mode,
    policy,
    version: JSON.parse(readFileSync(join(APP, 'package.json'), 'utf8')).version,
    logLevel: config.logLevel,
    inventoryMs: INVENTORY_MS,
    countersMs: COUNTERS_MS,
  });
  const hostKeyOf = (name: string) => (name === host ? hostKey : null);
  const keys = { hostKeyOf, control };
  return { config, host, mode, policy, logger, store, collector, keys };
}

/** How a record that could not be folded is told: a hole, a fork, or a log that was changed. */
function faultCommand({ code }: Fault): string {
  if (code === 'SEQUENCE_GAP') return 'LOSS';
  return code === 'FORK' ? 'FORK' : 'LOG_TAMPER';
}

/** Says under the host's own principal what the fold had to leave out. */
function reportFault({ collector, host, mode }: Parts, fault: Fault): void {
  const { code, why, offset, lane } = fault;
  collector.append(
    systemEvent({
      command: faultCommand(fault),
      principal: hostPrincipal(host),
      timeUs: Date.now() * 1000,
      mode,
      details: { found: why, code, offset, lane, declared: false },
    }),
  );
}

/** Runs fold and enforcer whenever something was committed, until the signal. */
class Loop {
  private readonly parts: Parts;
  private readonly signal: AbortSignal;
  private wake = Promise.withResolvers<void>();

  constructor(parts: Parts, signal: AbortSignal) {
    this.parts = parts;
    this.signal = signal;
  }

  async run(): Promise<void> {
    const { store } = this.parts;
    const unsubscribe = store.onCommit(() => this.wake.resolve());
    this.signal.addEventListener('abort', () => this.wake.resolve());
    try {
      for (let delayMs = 100; !this.signal.aborted; delayMs = Math.min(delayMs * 2, 2000)) {
        const startedMs = Date.now();
        await this.attempt(delayMs);
        if (Date.now() - startedMs > 10_000) delayMs = 100;
      }
    } finally {
      unsubscribe();
    }
  }

  /** One life of fold and enforcer: a store that refuses ends it, and nothing half done remains. */
  private async attempt(delayMs: number): Promise<void> {
    try {
      await this.fold();
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      this.parts.logger.error({ reason: error.message }, 'the fold waits for the log');
      await this.sleep(delayMs);
    }
  }

  private async fold(): Promise<void> {
    const { store, policy, logger, collector, config, keys, host, mode } = this.parts;
    const now = () => Date.now();
    const onFault = (fault: Fault) => reportFault(this.parts, fault);
    const enricher = await Enricher.open({ store, keys, policy, onFault, now });
    const subjects = new SubjectsMap(join(config.runDir, 'bpf/subjects'));
    const append = collector.append;
    const enforcer = await Enforcer.open({
      store,
      subjects,
      host,
      mode,
      policy,
      logger,
      append,
      now,
    });
    try {
      while (!this.signal.aborted) {
        this.wake = Promise.withResolvers<void>();
        const folded = await enricher.step();
        const enforced = await enforcer.step();
        if (!folded.more && !enforced.more) await this.sleep(Math.min(1000, enricher.idleMs));
      }
      while ((await enricher.step()).more);
    } finally {
      subjects.close();
    }
  }

  private async sleep(ms: number): Promise<void> {
    const timer = setTimeout(() => this.wake.resolve(), ms);
    await this.wake.promise;
    clearTimeout(timer);
  }
}

/** Snapshots and trims now and then, so that the log stays bounded. */
async function keepHouse({ store, logger }: Parts, signal: AbortSignal): Promise<void> {
  let lastSize = (await store.size()).bytes;
  while (!signal.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, HOUSEKEEPING_MS);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (signal.aborted) return;
    const { bytes } = await store.size();
    if (bytes - lastSize < SNAPSHOT_BYTES) continue;
    try {
      await store.snapshot(FOLD_POSITION);
      const trimmed = await store.trim({ keepSnapshots: SNAPSHOTS, maxBytes: TOPIC_BYTES });
      logger.info(trimmed, 'snapshot taken, log trimmed behind the oldest');
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      logger.error({ reason: error.message }, 'no snapshot: the log cannot be written');
    }
    lastSize = (await store.size()).bytes;
  }
}

/** A log that turns out unreadable is set aside: the monitor's next start begins another. */
function afterFailure(error: unknown, { database }: Config): unknown {
  const { name, code, message } = error as LogError;
  if (name !== 'LogError' || code !== 'CORRUPT') return error;
  const kept = setAside(database);
  const text = `${database}: ${message}: kept as ${kept}, a new log begins`;
  return new CliError(EXIT.temporary, text, { cause: error });
}

/** The services' side: unprivileged, under the eyes of warden-load. */
async function serve(config: Config): Promise<void> {
  const staged = { ...config, policyFile: join(config.runDir, 'policy.yaml') };
  const parts = await startParts(config, loadPolicy(staged).policy);
  const { store, collector } = parts;
  const folding = new AbortController();
  const showing = new AbortController();
  const asked = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.resolve());
  if (!config.json) await print(modeLines(parts.mode));
  const from = await store.log.end({ topic: 'bpf.enriched', partition: 0 });
  const loop = new Loop(parts, folding.signal).run();
  const house = keepHouse(parts, folding.signal);
  const shown = printEvents(store, {
    from,
    follow: true,
    json: config.json,
    signal: showing.signal,
  });
  try {
    await Promise.race([asked.promise, collector.ended, loop, house, shown]);
  } catch (error) {
    throw afterFailure(error, config);
  }
  await collector.stop();
  folding.abort();
  await Promise.all([loop, house]);
  showing.abort();
  await shown;
  await store.close();
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
    .option('--policy <file>', 'policy in YAML (WARDEN_POLICY); see: ./warden policy show')
    .option('--state <dir>', 'directory of the log (WARDEN_STATE), by default /var/lib/warden')
    .option('--log-level <level>', 'trace to silent (WARDEN_LOG_LEVEL)')
    .addHelpText('after', '\nExample:\n  $ sudo ./warden up --json | jq -c .act')
    .action(up);
}
