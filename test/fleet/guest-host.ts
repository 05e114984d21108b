import { GATEWAY } from '#testkit/servers';
import type { GuestJob, Kernel } from '../kernel/guest/index.ts';

/** What an agent in a guest needs to belong to a fleet of this machine. */
export interface GuestHost {
  readonly kernel: Kernel;
  readonly name: string;
  /** Its own key, 32 bytes. */
  readonly key: Uint8Array;
  /** What it signs with, in PEM; null: it sends no heartbeats and no checkpoints. */
  readonly signing: Uint8Array | null;
  /** Port under which guests reach the broker. */
  readonly kafkaPort: number;
  readonly fleet: string;
  readonly policy: string | null;
}

const STATE = '/var/lib/warden/host';
const POLICY = '/fleet/policy.yaml';
/** Where it says how it is, within the guest. */
export const GUEST_HEALTH = '127.0.0.1:7081';

/** A guest as a host of the fleet: `command` runs beside nothing, with the agent's settings. */
export function guestHost(host: GuestHost, command = './warden collector'): GuestJob {
  const { kernel, name, key, signing, kafkaPort, fleet, policy } = host;
  const settings = {
    WARDEN_KAFKA: `${GATEWAY}:${kafkaPort}`,
    WARDEN_FLEET: fleet,
    WARDEN_HOST: name,
    WARDEN_STATE: STATE,
    WARDEN_HEALTH: GUEST_HEALTH,
    ...(policy !== null && { WARDEN_POLICY: POLICY }),
  };
  const exported = Object.entries(settings).map(([key, value]) => `export ${key}='${value}'`);
  const lines = [
    'set -e',
    `mkdir -p ${STATE}`,
    `cp /fleet/*.key ${STATE}`,
    `chmod 700 ${STATE}`,
    `chmod 600 ${STATE}/*.key`,
    `chown -R bpf-warden:bpf-warden ${STATE}`,
    ...exported,
    command,
  ];
  const files = {
    '/fleet/host.key': key,
    ...(signing !== null && { '/fleet/sign.key': signing }),
    ...(policy !== null && { [POLICY]: policy }),
  };
  return { kernel, network: true, files, command: lines.join('\n') };
}
