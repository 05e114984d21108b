import type { KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type LoadedState, loadedState, openSigningKey } from '#config';
import type { KafkaClient } from '#log/kafka';
import type { Forwarder } from '../../services/collector/forwarder.ts';
import { type HostSaid, Witness } from '../../services/collector/witness.ts';
import { VERSION } from '../shared/version.ts';
import type { Parts } from '../up/loop.ts';

/** What is loaded, read again when it was written again. */
class Loaded {
  private readonly runDir: string;
  private mtimeMs = -1;
  private state: LoadedState | null = null;

  constructor(runDir: string) {
    this.runDir = runDir;
  }

  /** null: nothing is loaded, or nobody can say what. */
  now(): LoadedState | null {
    const found = statSync(join(this.runDir, 'load.json'), { throwIfNoEntry: false });
    if (found === undefined) return null;
    if (found.mtimeMs === this.mtimeMs) return this.state;
    try {
      this.state = loadedState(this.runDir);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.state = null;
    }
    this.mtimeMs = found.mtimeMs;
    return this.state;
  }
}

/** What a heartbeat says besides what is loaded. */
interface Said {
  readonly client: KafkaClient;
  readonly forwarder: Forwarder;
  readonly revision: () => number;
  readonly lost: () => HostSaid['lost'];
}

/** Who sends this host's heartbeats and checkpoints, and what its health status says of that. */
export interface Speaker {
  /** null: it has no key to sign them with. */
  readonly witness: Witness | null;
  readonly status: () => {
    readonly heartbeats: boolean;
    readonly checkpoints: boolean;
    /** Why it has no key; null: it has one. */
    readonly reason: string | null;
  };
}

function silent(reason: string): Speaker {
  return { witness: null, status: () => ({ heartbeats: false, checkpoints: false, reason }) };
}

/** A key that can't be used silences a host; it does not take its guard away. */
export function openSpeaker(parts: Parts, said: Said): Speaker {
  const { config, logger } = parts;
  try {
    const key = openSigningKey(config.stateDir);
    if (key !== null) {
      const witness = openWitness(parts, said, key);
      return { witness, status: () => ({ ...witness.status, reason: null }) };
    }
    const next = 'make sign.key with ./warden host enroll --keep, and put it there';
    logger.warn({ next }, 'no sign.key: this host sends no heartbeats and no checkpoints');
    return silent('no sign.key');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { message: reason } = error;
    logger.error({ reason }, 'this host sends no heartbeats and no checkpoints');
    return silent(reason);
  }
}

function openWitness(
  { config, host, store, logger }: Parts,
  { client, forwarder, revision, lost }: Said,
  key: KeyObject,
): Witness {
  const loaded = new Loaded(config.runDir);
  return new Witness({
    store,
    client,
    logger,
    host,
    key,
    version: VERSION,
    mode: () => loaded.now()?.mode ?? 'none',
    said: async () => {
      const { mode = 'none', hooks = [], policy = '' } = loaded.now() ?? {};
      const lag = await forwarder.lag();
      const followed = { revision: revision(), lag, lost: lost() };
      return { mode, capabilities: hooks, policy, ...followed };
    },
    acknowledged: () => forwarder.status.next,
    now: () => Date.now(),
    steady: () => performance.now(),
  });
}
