import { kafkaConfig } from '#config';
import { type Drift, fleetContract, IMPATIENT, KafkaClient, Provisioner } from '#log/kafka';
import { CliError, EXIT } from '../shared/exit.ts';
import { asCliError } from '../shared/log-error.ts';
import type { FleetOptions } from './options.ts';

export interface TopicsOptions extends FleetOptions {
  readonly json?: boolean;
  readonly brokers?: string;
  readonly hosts?: string;
  readonly rights?: boolean;
}

function numberOf(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new CliError(EXIT.usage, `--brokers ${JSON.stringify(text)}: expected 1 to 99`);
}

async function withProvisioner<T>(
  options: TopicsOptions,
  work: (provisioner: Provisioner) => Promise<T>,
): Promise<T> {
  const client = new KafkaClient(
    kafkaConfig(options, process.env, 'warden-topics'),
    null,
    IMPATIENT,
  );
  try {
    const provisioner = await Provisioner.open(client, fleetContract(), {
      ...(options.brokers !== undefined && { brokers: numberOf(options.brokers) }),
      hosts: options.hosts?.split(',') ?? [],
      rights: options.rights === true,
    });
    try {
      return await work(provisioner);
    } finally {
      await provisioner.close();
    }
  } catch (error) {
    throw asCliError(error);
  }
}

function lineOf({ kind, name, found, wanted, manual }: Drift): string {
  const hand = manual ? ' (by hand: another number of partitions moves lanes)' : '';
  return `${kind} ${name}: ${found ?? 'missing'} -> ${wanted ?? 'not wanted'}${hand}`;
}

function show(drift: readonly Drift[], { json }: TopicsOptions): void {
  const lines = drift.map((one) =>
    json === true ? JSON.stringify({ schema: 'warden.topics/1', ...one }) : lineOf(one),
  );
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}

export async function plan(options: TopicsOptions): Promise<void> {
  const drift = await withProvisioner(options, (provisioner) => provisioner.drift());
  show(drift, options);
  if (drift.length === 0 && options.json !== true) {
    process.stdout.write('the brokers are as schemas/asyncapi.yaml says\n');
  }
}

export async function check(options: TopicsOptions): Promise<void> {
  const drift = await withProvisioner(options, (provisioner) => provisioner.drift());
  show(drift, options);
  if (drift.length > 0) process.exitCode = EXIT.findings;
}

export async function apply(options: TopicsOptions): Promise<void> {
  const left = await withProvisioner(options, (provisioner) => provisioner.apply());
  show(left, options);
  if (left.length > 0) process.exitCode = EXIT.findings;
}
