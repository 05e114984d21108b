import type { Command } from 'commander';
import type { RawFleetOptions, RawOptions } from '#config';

export type FleetOptions = RawFleetOptions & RawOptions;

/** Adds the options by which a verb finds the fleet's brokers. */
export function withKafka(command: Command): Command {
  return command
    .option('--kafka <addresses>', 'brokers, HOST:PORT with commas between (WARDEN_KAFKA)')
    .option('--fleet <name>', 'one of several fleets on the same servers (WARDEN_FLEET)');
}

/** Those by which a service finds what it needs besides. */
export function withService(command: Command): Command {
  return command
    .option('--state <dir>', 'directory of its keys (WARDEN_STATE), by default /var/lib/warden')
    .option('--policy <file>', 'policy in YAML (WARDEN_POLICY)')
    .option('--health <address>', 'say there how it is: HOST:PORT (WARDEN_HEALTH)')
    .option('--log-level <level>', 'trace to silent (WARDEN_LOG_LEVEL)');
}
