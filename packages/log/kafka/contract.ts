import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { LogError } from '../errors.ts';
import { FLEET_TOPICS, type FleetTopic } from './topics.ts';

/** A topic as schemas/asyncapi.yaml wants it. */
export interface TopicSpec {
  readonly topic: FleetTopic;
  readonly partitions: number;
  readonly replicas: number;
  /** Settings by the broker's names. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What a role may do, by its user; `host-*` stands for the user of each host. */
export interface RoleSpec {
  readonly role: string;
  readonly user: string;
  readonly group: string | null;
  readonly transactionalIds: string | null;
  readonly reads: readonly FleetTopic[];
  readonly writes: readonly FleetTopic[];
}

export interface FleetContract {
  readonly topics: readonly TopicSpec[];
  readonly roles: readonly RoleSpec[];
}

const FILE = new URL('../../../schemas/asyncapi.yaml', import.meta.url);

interface Channel {
  readonly address: string;
  readonly bindings: {
    readonly kafka: {
      readonly partitions: number;
      readonly replicas: number;
      readonly topicConfiguration: Readonly<Record<string, unknown>>;
    };
  };
  readonly 'x-settings'?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly action: 'send' | 'receive';
  readonly channel: { readonly $ref: string };
  readonly 'x-role': string;
}

interface Role {
  readonly user: string;
  readonly group?: string;
  readonly transactionalIds?: string;
}

interface Document {
  readonly channels: Readonly<Record<string, Channel>>;
  readonly operations: Readonly<Record<string, Operation>>;
  readonly 'x-roles': Readonly<Record<string, Role>>;
}

/** Reads schemas/asyncapi.yaml. Throws `LogError` BAD_REQUEST where code and file disagree. */
export function fleetContract(): FleetContract {
  const document = parse(readFileSync(FILE, 'utf8')) as Document;
  const topics = FLEET_TOPICS.map((topic) => topicOf(topic, document.channels[topic]));
  const extra = Object.keys(document.channels).filter((name) => !isTopic(name));
  if (extra.length > 0) throw wrong(`${extra.join(', ')}: no code knows it`);
  const operations = Object.values(document.operations);
  const roles = Object.entries(document['x-roles']).map(([role, one]) => {
    const own = operations.filter((operation) => operation['x-role'] === role);
    const topicsOf = (action: Operation['action']) =>
      own.filter((operation) => operation.action === action).map(channelOf);
    return {
      role,
      user: one.user,
      group: one.group ?? null,
      transactionalIds: one.transactionalIds ?? null,
      reads: topicsOf('receive'),
      writes: topicsOf('send'),
    };
  });
  return { topics, roles };
}

function isTopic(name: string): name is FleetTopic {
  return (FLEET_TOPICS as readonly string[]).includes(name);
}

function wrong(what: string): LogError {
  return new LogError('BAD_REQUEST', `schemas/asyncapi.yaml: ${what}`);
}

function channelOf({ channel }: Operation): FleetTopic {
  const name = channel.$ref.replace('#/channels/', '');
  if (isTopic(name)) return name;
  throw wrong(`an operation on ${name}, which is no channel`);
}

function topicOf(topic: FleetTopic, channel: Channel | undefined): TopicSpec {
  if (channel === undefined) throw wrong(`${topic} is missing`);
  const { partitions, replicas, topicConfiguration } = channel.bindings.kafka;
  if (64 % partitions !== 0) throw wrong(`${topic}: ${partitions} partitions do not divide 64`);
  const settings = Object.entries({ ...topicConfiguration, ...channel['x-settings'] });
  const texts = settings.map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(',') : `${value}`,
  ]);
  return { topic, partitions, replicas, settings: Object.fromEntries(texts) };
}
