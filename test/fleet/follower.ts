import { readFileSync } from 'node:fs';
import { EnforcerMaps, type EnforcerPins, native } from '#bpf';
import type { Event, HostName } from '#event';
import { type KafkaClient, KafkaLog } from '#log/kafka';
import { defaultPolicy, type Policy } from '#policy';
import type { FoldStore } from '#state';
import { createLogger } from '#telemetry';
import { Enforcer, type EnforcerOptions } from '../../services/enforcer/index.ts';

export interface FollowerOptions {
  /** The host's own store. */
  readonly store: FoldStore;
  readonly client: KafkaClient;
  readonly host: HostName;
  /** Where its maps are pinned. */
  readonly maps: EnforcerPins;
  readonly policy?: Policy;
  /** Told of what the enforcer has done. */
  readonly append?: (event: Event) => void;
}

const WAIT_MS = 1000;

/** The enforcer of a host as an agent runs it: it follows the tiers in Kafka, in real maps. */
export class Follower {
  readonly log: KafkaLog;
  private readonly options: FollowerOptions;
  private readonly maps: EnforcerMaps;
  /** Whether the map is what the log said when it was opened. */
  isOpen = false;

  constructor(options: FollowerOptions) {
    this.options = options;
    this.log = new KafkaLog(options.client, 'uncommitted');
    this.maps = new EnforcerMaps(options.maps);
  }

  get subjects(): EnforcerMaps['subjects'] {
    return this.maps.subjects;
  }

  /** Until the signal, or an error of the log. */
  async run(signal: AbortSignal): Promise<void> {
    const enforcer = await Enforcer.open(this.enforcerOptions());
    this.isOpen = true;
    while (!signal.aborted) {
      const { more } = await enforcer.step();
      if (!more) await this.log.awaitMore([enforcer.place], WAIT_MS);
    }
  }

  async close(): Promise<void> {
    await this.log.close();
    this.maps.close();
  }

  private enforcerOptions(): EnforcerOptions {
    const { store, host, policy = defaultPolicy(), append = () => undefined } = this.options;
    const now = () => Date.now();
    return {
      store: {
        log: this.log,
        commit: (commit) => store.commit(commit),
        position: (source) => store.position(source),
        scan: (space, options) => store.scan(space, options),
      },
      source: 'fleet',
      subjects: this.maps.subjects,
      reflexes: this.maps.reflexes,
      hostMap: this.maps.host,
      admins: this.maps.admins,
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      host,
      mode: 'lsm',
      policy,
      breaker: { ...policy.breaker, least: policy.breaker.principals },
      logger: createLogger({ level: 'error', name: 'enforcer' }),
      append,
      now,
      bootNow: () => BigInt(now()) * 1_000_000n - native().bootOffset(),
      population: async () => ({ principals: 0, hosts: 0 }),
    };
  }
}
