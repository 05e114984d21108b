import { LogError } from '../errors.ts';
import { TOPICS, type Topic } from '../port.ts';

/** Topics that only a fleet has. */
export const FLEET_ONLY = [
  'bpf.trust',
  'bpf.hosts',
  'bpf.checkpoints',
  'bpf.schemas',
  'bpf.dlq',
] as const;
export type FleetTopic = Topic | (typeof FLEET_ONLY)[number];

export const FLEET_TOPICS: readonly FleetTopic[] = [...TOPICS, ...FLEET_ONLY];

/** Version of all topics' contracts; a topic of another one is another topic. */
const VERSION = 'v1';

/** Its name on the brokers: `bpf.events.v1`, behind the prefix that several fleets need. */
export function brokerName(topic: FleetTopic, prefix: string): string {
  return `${prefix}${topic}.${VERSION}`;
}

/** The partition of a lane. The number of partitions divides 64, or is 1. */
export function partitionOf(lane: number, partitions: number): number {
  return lane % partitions;
}

/** Throws `LogError` BAD_REQUEST. */
export function checkTopic(topic: FleetTopic): void {
  if (!FLEET_TOPICS.includes(topic)) throw new LogError('BAD_REQUEST', `topic ${topic}`);
}
