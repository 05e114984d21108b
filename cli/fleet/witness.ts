import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type LoadedState, loadedState, openSigningKey } from '#config';
import type { KafkaClient } from '#log/kafka';
import type { Forwarder } from '../../services/collector/forwarder.ts';
import { type HostSaid, Witness } from '../../services/collector/witness.ts';
import { APP } from '../shared/launch.ts';
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

/** Who sends this host's heartbeats and checkpoints; null: it has no key to sign them with. */
export function openWitness(
  { config, host, store, logger }: Parts,
  { client, forwarder, revision, lost }: Said,
): Witness | null {
  const key = openSigningKey(config.stateDir);
  if (key === null) {
    const next = 'make sign.key with ./warden host enroll --keep, and put it there';
    logger.warn({ next }, 'no sign.key: this host sends no heartbeats and no checkpoints');
    return null;
  }
  const loaded = new Loaded(config.runDir);
  const { version } = JSON.parse(readFileSync(join(APP, 'package.json'), 'utf8'));
  return new Witness({
    store,
    client,
    logger,
    host,
    key,
    version,
    mode: () => loaded.now()?.mode ?? 'none',
    said: async () => {
      const { mode = 'none', hooks = [], policy = '' } = loaded.now() ?? {};
      const lag = await forwarder.lag();
      const followed = { revision: revision(), lag, lost: lost() };
      return { mode, capabilities: hooks, policy, ...followed };
    },
    acknowledged: () => forwarder.status.next,
    now: () => Date.now(),
  });
}
