import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EnforcerMaps, native, pinsIn } from '#bpf';
import type { Config } from '#config';
import type { HostName, Mode, Override } from '#event';
import type { Fault, OpenKeys } from '#fold';
import { LogError } from '#log';
import type { Policy } from '#policy';
import { type Store, scanAll } from '#state';
import type { Logger } from '#telemetry';
import type { RunningCollector } from '../../services/collector/index.ts';
import { Enforcer, type Population } from '../../services/enforcer/index.ts';
import { Enricher } from '../../services/enricher/index.ts';
import { reportFault, reportOverride } from './said.ts';

/** What a running instance is made of. */
export interface Parts {
  readonly config: Config;
  readonly host: HostName;
  readonly mode: Mode;
  readonly bootId: string;
  readonly policy: Policy;
  readonly logger: Logger;
  readonly store: Store;
  readonly collector: RunningCollector;
  readonly keys: OpenKeys;
}

/** Everybody that the fold knows, and how many of them are hosts. */
async function populationOf(store: Store): Promise<Population> {
  const population = { principals: 0, hosts: 0 };
  for await (const { key } of scanAll(store, 'trust')) {
    if (key.startsWith('host:')) population.hosts += 1;
    else population.principals += 1;
  }
  return population;
}

/** Runs fold and enforcer whenever something was committed, until the signal. */
export class Loop {
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
        const startedMs = performance.now();
        await this.attempt(delayMs);
        if (performance.now() - startedMs > 10_000) delayMs = 100;
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
      await pause(delayMs, null, { signal: this.signal }).catch(() => null);
    }
  }

  private async fold(): Promise<void> {
    const { store, policy, keys, config } = this.parts;
    const now = () => Date.now();
    const onFault = (fault: Fault) => reportFault(this.parts, fault);
    const onOverride = (override: Override, refused: string | null) =>
      reportOverride(this.parts, override, refused);
    const enricher = await Enricher.open({ store, keys, policy, onFault, onOverride, now });
    const maps = new EnforcerMaps(pinsIn(join(config.runDir, 'bpf')));
    try {
      const enforcer = await this.openEnforcer(maps, now);
      while (!this.signal.aborted) {
        this.wake = Promise.withResolvers<void>();
        const folded = await enricher.step();
        const enforced = await enforcer.step();
        if (!folded.more && !enforced.more) await this.sleep(Math.min(1000, enricher.idleMs));
      }
      while ((await enricher.step()).more);
    } finally {
      maps.close();
    }
  }

  private openEnforcer(maps: EnforcerMaps, now: () => number): Promise<Enforcer> {
    const { store, policy, logger, collector, host, mode, bootId } = this.parts;
    return Enforcer.open({
      breaker: { ...policy.breaker, least: policy.breaker.principals },
      population: () => populationOf(store),
      store,
      source: 'host',
      subjects: maps.subjects,
      reflexes: maps.reflexes,
      hostMap: maps.host,
      admins: maps.admins,
      bootId,
      host,
      mode,
      policy,
      logger,
      append: collector.append,
      now,
      bootNow: () => BigInt(now()) * 1_000_000n - native().bootOffset(),
    });
  }

  private async sleep(ms: number): Promise<void> {
    const timer = setTimeout(() => this.wake.resolve(), ms);
    await this.wake.promise;
    clearTimeout(timer);
  }
}
