import { deriveHostKey } from '#chain';
import { ConfigError, HostRegister } from '#config';
import { type HostName, hostName } from '#event';
import type { OpenKeys } from '#fold';
import type { Logger } from '#telemetry';

/** Keys that are remembered: they cost a microsecond each. */
const KEYS_MAX = 100_000;

export interface HostKeys extends Pick<OpenKeys, 'hostKeyOf' | 'olderKeyOf'> {
  /** Every key that counted for what the log took in then, newest first. */
  readonly everyKeyOf: (host: string, appendedMs: number) => readonly Uint8Array[];
}

/** The keys of all hosts of a fleet, from its own and the register beside it. */
export function hostKeys({
  stateDir,
  fleet,
  logger,
}: {
  stateDir: string;
  fleet: Uint8Array;
  logger: Logger;
}): HostKeys {
  const register = new HostRegister(stateDir);
  const known = new Map<string, Buffer>();
  const keyOf = (host: string, generation: number | null): Uint8Array | null => {
    if (generation === null) return null;
    const found = known.get(`${host}/${generation}`);
    if (found !== undefined) return found;
    let name: HostName;
    try {
      name = hostName(host);
    } catch {
      return null;
    }
    if (known.size >= KEYS_MAX) known.clear();
    const key = deriveHostKey(fleet, name, generation);
    known.set(`${host}/${generation}`, key);
    return key;
  };
  const fresh = () => {
    try {
      register.refresh();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      logger.error({ reason: error.message }, 'the register of hosts stays as it was');
    }
    return register;
  };
  return {
    hostKeyOf: (host, appendedMs) => keyOf(host, fresh().validAt(host, appendedMs).newest),
    olderKeyOf: (host, appendedMs) => keyOf(host, fresh().validAt(host, appendedMs).older),
    everyKeyOf: (host, appendedMs) =>
      fresh()
        .allAt(host, appendedMs)
        .flatMap((generation) => keyOf(host, generation) ?? []),
  };
}
