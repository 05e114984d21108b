import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { native, ReflexesMap, SubjectsMap } from '#bpf';
import { type Config, hostIdentity, loadedState, openKeys } from '#config';
import { type HostName, hostPrincipal, type Mode, type Override } from '#event';
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
  readonly enforce?: boolean;
  readonly policy?: string;
  readonly state?: string;
  readonly logLevel?: string;
}

const COUNTERS_MS = 1000;
const INVENTORY_MS = 60_000;
const HOUSEKEEPING_MS = 60_000;
/** Bytes of a topic that are kept. */
const TOPIC_BYTES = 256 * 1024 * 1024;
const SNAPSHOTS = 3;

interface Parts {
  readonly config: Config;
  readonly host: HostName;
  readonly mode: Mode;
  readonly bootId: string;
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
  return { config, host, mode, bootId, policy, logger, store, collector, keys };
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

/** Says under the host's own principal what an operator's word came to. */
function reportOverride(
  { collector, host, mode }: Parts,
  override: Override,
  refused: string | null,
) {
  const { verb, principal, author, reason, ticket, id, untilMs } = override;
  collector.append(
    systemEvent({
      command: 'OVERRIDE',
      principal: hostPrincipal(host),
      timeUs: Date.now() * 1000,
      mode,
      details: {
        verb,
        for_principal: principal,
        author,
        reason,
        id,
        ...(ticket !== null && { ticket }),
        ...(untilMs !== null && { until: new Date(untilMs).toISOString() }),
        effect: refused === null ? 'applied' : `refused: ${refused}`,
        latency_ms: Math.max(0, Date.now() - override.timeMs),
      },
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
    const { store, policy, logger, collector, config, keys, host, mode, bootId } = this.parts;
    const now = () => Date.now();
    const onFault = (fault: Fault) => reportFault(this.parts, fault);
    const onOverride = (override: Override, refused: string | null) =>
      reportOverride(this.parts, override, refused);
    const enricher = await Enricher.open({ store, keys, policy, onFault, onOverride, now });
    const subjects = new SubjectsMap(join(config.runDir, 'bpf/subjects'));
    const reflexes = new ReflexesMap(join(config.runDir, 'bpf/reflexes'));
    const append = collector.append;
    const enforcer = await Enforcer.open({
      store,
      subjects,
      reflexes,
      bootId,
      host,
      mode,
      policy,
      logger,
      append,
      now,
      bootNow: () => BigInt(now()) * 1_000_000n - native().bootOffset(),
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
      reflexes.close();
    }
  }

  private async sleep(ms: number): Promise<void> {
    const timer = setTimeout(() => this.wake.resolve(), ms);
    await this.wake.promise;
    clearTimeout(timer);
  }
}

/** Records of `bpf.events` since the newest snapshot. */
async function sinceSnapshot({ store }: Parts): Promise<number> {
  const end = await store.log.end({ topic: 'bpf.events', partition: 0 });
  return end - ((await store.snapshots()).at(-1)?.next ?? 0);
}

/** Snapshots and trims now and then, so that the log stays bounded. */
async function keepHouse(parts: Parts, signal: AbortSignal): Promise<void> {
  const { store, logger, config } = parts;
  while (!signal.aborted) {
    try {
      if ((await sinceSnapshot(parts)) >= config.snapshotRecords) {
        await store.snapshot(FOLD_POSITION);
        const trimmed = await store.trim({ keepSnapshots: SNAPSHOTS, maxBytes: TOPIC_BYTES });
        logger.info(trimmed, 'snapshot taken, log trimmed behind the oldest');
      }
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error;
      logger.error({ reason: error.message }, 'no snapshot: the log cannot be written');
    }
    await pause(HOUSEKEEPING_MS, signal);
  }
}

/** Waits, or less when the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}

/**
 * The services can't go on: everything is ended before a word is said, so that nobody writes to a
 * log that is being set aside, and the monitor can start them again.
 */
async function abandon(parts: Parts, error: unknown): Promise<never> {
  const { collector, store, config } = parts;
  await collector.terminate();
  await store.close();
  const { name, code, message } = error as LogError;
  if (name !== 'LogError' || code !== 'CORRUPT') throw error;
  const kept = setAside(config.database);
  const text = `${config.database}: ${message}: kept as ${kept}, a new log begins`;
  throw new CliError(EXIT.temporary, text, { cause: error });
}

/** Shows, folds and enforces until it is asked to stop or something fails. */
async function serveUntilAsked(parts: Parts, signals: Record<'fold' | 'show', AbortController>) {
  const { store, collector, config } = parts;
  const asked = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => asked.resolve());
  if (!config.json) await print(modeLines(parts));
  const from = await store.log.end({ topic: 'bpf.enriched', partition: 0 });
  const loop = new Loop(parts, signals.fold.signal).run();
  const house = keepHouse(parts, signals.fold.signal);
  const { signal } = signals.show;
  const shown = printEvents(store, { from, follow: true, json: config.json, signal });
  await Promise.race([asked.promise, collector.ended, loop, house, shown]);
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
  const parts = await startParts(config, loadPolicy(staged).policy);
  const signals = { fold: new AbortController(), show: new AbortController() };
  try {
    await serveUntilAsked(parts, signals);
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
    .option('--log-level <level>', 'trace to silent (WARDEN_LOG_LEVEL)')
    .addHelpText('after', '\nExample:\n  $ sudo ./warden up --json | jq -c .act')
    .action(up);
}
