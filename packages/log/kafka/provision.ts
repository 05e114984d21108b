import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type AclEntry, type Admin } from 'kafkajs';
import { LogError } from '../errors.ts';
import type { KafkaClient } from './client.ts';
import type { FleetContract, RoleSpec, TopicSpec } from './contract.ts';
import { toKafkaError } from './errors.ts';
import { KafkaLog } from './log.ts';
import { missingSchemas, publishSchemas } from './schemas.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ConfigResourceTypes } = kafkajs;
const { ResourcePatternTypes } = kafkajs;

const KNOWN_LOOK_MS = 100;
const KNOWN_MAX_MS = 20_000;

/** One thing in which the brokers differ from the contract. */
export interface Drift {
  readonly kind: 'topic' | 'partitions' | 'setting' | 'right' | 'schema';
  readonly name: string;
  readonly found: string | null;
  readonly wanted: string | null;
  /** Nothing that `apply` does can mend it. */
  readonly manual: boolean;
}

export interface ProvisionOptions {
  /** Replicas and in-sync replicas where there are fewer brokers than the contract wants. */
  readonly brokers?: number;
  readonly partitions?: number;
  /** Names of the hosts that have users. */
  readonly hosts?: readonly string[];
  /** Whether rights are kept on the brokers. */
  readonly rights?: boolean;
}

/** Brings the brokers to what schemas/asyncapi.yaml says, and finds where they differ. */
export class Provisioner {
  private readonly client: KafkaClient;
  private readonly admin: Admin;
  private readonly topics: readonly TopicSpec[];
  private readonly roles: readonly RoleSpec[];
  private readonly options: ProvisionOptions;

  private constructor(client: KafkaClient, contract: FleetContract, options: ProvisionOptions) {
    this.client = client;
    this.admin = client.kafka.admin();
    this.options = options;
    this.topics = contract.topics.map((topic) => adapted(topic, options));
    this.roles = contract.roles;
  }

  static async open(
    client: KafkaClient,
    contract: FleetContract,
    options: ProvisionOptions = {},
  ): Promise<Provisioner> {
    const provisioner = new Provisioner(client, contract, options);
    await guarded('connect', () => provisioner.admin.connect());
    return provisioner;
  }

  /** Everything that is not as it should be. */
  async drift(): Promise<Drift[]> {
    const known = new Set(await guarded('list topics', () => this.admin.listTopics()));
    const there = this.topics.filter(({ topic }) => known.has(this.client.topic(topic)));
    const missing = this.topics.filter((one) => !there.includes(one));
    const drift: Drift[] = missing.map(({ topic, partitions }) => ({
      kind: 'topic',
      name: this.client.topic(topic),
      found: null,
      wanted: `${partitions} partitions`,
      manual: false,
    }));
    if (there.length > 0) {
      drift.push(...(await this.partitionDrift(there)), ...(await this.settingDrift(there)));
    }
    if (there.some(({ topic }) => topic === 'bpf.schemas')) drift.push(...(await this.unknown()));
    if (this.options.rights === true) drift.push(...(await this.rightDrift()));
    return drift;
  }

  private async unknown(): Promise<Drift[]> {
    const missing = await missingSchemas(this.client);
    return missing.map(({ name, fingerprint }) => {
      const wanted = 'in bpf.schemas';
      return { kind: 'schema', name: `${name} ${fingerprint}`, found: null, wanted, manual: false };
    });
  }

  private async partitionDrift(topics: readonly TopicSpec[]): Promise<Drift[]> {
    const names = topics.map(({ topic }) => this.client.topic(topic));
    const { topics: found } = await guarded('describe topics', () =>
      this.admin.fetchTopicMetadata({ topics: names }),
    );
    return topics.flatMap(({ topic, partitions }) => {
      const name = this.client.topic(topic);
      const count = found.find((one) => one.name === name)?.partitions.length ?? 0;
      if (count === partitions) return [];
      // Another number of partitions moves lanes: their order and their state would be lost.
      const [is, wanted] = [`${count}`, `${partitions}`];
      return [{ kind: 'partitions', name, found: is, wanted, manual: true } as const];
    });
  }

  private async settingDrift(topics: readonly TopicSpec[]): Promise<Drift[]> {
    const { resources } = await guarded('describe settings', () =>
      this.admin.describeConfigs({
        includeSynonyms: false,
        resources: topics.map(({ topic }) => ({
          type: ConfigResourceTypes.TOPIC,
          name: this.client.topic(topic),
        })),
      }),
    );
    return topics.flatMap(({ topic, settings }) => {
      const name = this.client.topic(topic);
      const entries = resources.find(({ resourceName }) => resourceName === name)?.configEntries;
      const found = new Map(entries?.map((entry) => [entry.configName, entry.configValue]));
      return Object.entries(settings)
        .filter(([setting, wanted]) => found.get(setting) !== wanted)
        .map(([setting, wanted]) => ({
          kind: 'setting' as const,
          name: `${name} ${setting}`,
          found: found.get(setting) ?? null,
          wanted,
          manual: false,
        }));
    });
  }

  private async rightDrift(): Promise<Drift[]> {
    const found = await this.rights();
    const wanted = new Map(this.wantedRights().map((right) => [nameOf(right), right]));
    const missing = [...wanted.keys()].filter((name) => !found.has(name));
    const extra = [...found.keys()].filter((name) => !wanted.has(name));
    return [
      ...missing.map((name) => right(name, null, 'allowed')),
      ...extra.map((name) => right(name, 'allowed', null)),
    ];
  }

  /** Rights on names with our prefix, or of our users. */
  private async rights(): Promise<Map<string, AclEntry>> {
    const { resources } = await guarded('describe rights', () =>
      this.admin.describeAcls({
        resourceType: AclResourceTypes.ANY,
        resourcePatternType: ResourcePatternTypes.ANY,
        operation: AclOperationTypes.ANY,
        permissionType: AclPermissionTypes.ANY,
      }),
    );
    const users = new Set(this.wantedRights().map(({ principal }) => principal));
    const entries = resources.flatMap(({ acls, ...resource }) =>
      acls.map((acl) => ({
        ...resource,
        ...acl,
        resourcePatternType: resource.resourcePatternType,
      })),
    );
    const ours = entries.filter(({ principal }) => users.has(principal));
    return new Map(ours.map((entry) => [nameOf(entry), entry]));
  }

  private wantedRights(): AclEntry[] {
    return this.roles.flatMap((role) =>
      this.usersOf(role).flatMap((user) => rightsOf(this.client, role, user)),
    );
  }

  private usersOf({ user }: RoleSpec): string[] {
    if (!user.includes('*')) return [user];
    return (this.options.hosts ?? []).map((host) => user.replace('*', host));
  }

  /** Makes what is missing and sets what differs. Returns what it could not mend. */
  async apply(): Promise<Drift[]> {
    const drift = await this.drift();
    const missing = drift.filter(({ kind }) => kind === 'topic').map(({ name }) => name);
    await this.createTopics(missing);
    const differ = new Set(
      drift.filter(({ kind }) => kind === 'setting').map(({ name }) => name.split(' ')[0]),
    );
    await this.alterSettings(
      this.topics.filter(({ topic }) => differ.has(this.client.topic(topic))),
    );
    if (drift.some(({ kind }) => kind === 'right')) await this.alterRights(drift);
    if (drift.some(({ manual }) => !manual)) {
      await this.known(['schema']);
      await this.led(missing);
      await publishSchemas(this.client, await missingSchemas(this.client));
      await this.known();
    }
    return drift.filter(({ manual }) => manual);
  }

  /** Waits for the leaders of new partitions: brokers know of a topic before they have its logs. */
  private async led(names: readonly string[]): Promise<void> {
    const log = new KafkaLog(this.client);
    try {
      for (const { topic, partitions } of this.specsOf(names)) {
        for (let partition = 0; partition < partitions; partition++) {
          await log.end({ topic, partition });
        }
      }
    } finally {
      await log.close();
    }
  }

  private specsOf(names: readonly string[]): TopicSpec[] {
    return this.topics.filter(({ topic }) => names.includes(this.client.topic(topic)));
  }

  private async createTopics(names: readonly string[]): Promise<void> {
    const topics = this.specsOf(names);
    if (topics.length === 0) return;
    await guarded('create topics', () =>
      this.admin.createTopics({
        // It takes a broker that has not heard of a topic yet for the end: `known` waits instead.
        waitForLeaders: false,
        topics: topics.map(({ topic, partitions, replicas, settings }) => ({
          topic: this.client.topic(topic),
          numPartitions: partitions,
          replicationFactor: replicas,
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        })),
      }),
    );
  }

  private async alterSettings(topics: readonly TopicSpec[]): Promise<void> {
    if (topics.length === 0) return;
    await guarded('alter settings', () =>
      this.admin.alterConfigs({
        validateOnly: false,
        resources: topics.map(({ topic, settings }) => ({
          type: ConfigResourceTypes.TOPIC,
          name: this.client.topic(topic),
          configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
        })),
      }),
    );
  }

  private async alterRights(drift: readonly Drift[]): Promise<void> {
    const names = new Set(drift.filter(({ kind }) => kind === 'right').map(({ name }) => name));
    const acl = this.wantedRights().filter((entry) => names.has(nameOf(entry)));
    if (acl.length > 0) await guarded('create rights', () => this.admin.createAcls({ acl }));
    const found = await this.rights();
    const wanted = new Set(this.wantedRights().map(nameOf));
    const filters = [...found].flatMap(([name, entry]) => (wanted.has(name) ? [] : [entry]));
    if (filters.length > 0)
      await guarded('delete rights', () => this.admin.deleteAcls({ filters }));
  }

  /** Brokers hear of topics, settings and rights a moment after the controller has them. */
  private async known(besides: readonly Drift['kind'][] = []): Promise<void> {
    const counts = ({ kind, manual }: Drift) => !manual && !besides.includes(kind);
    const unknown = async () => (await this.drift()).some(counts);
    for (let waited = 0; await unknown(); waited += KNOWN_LOOK_MS) {
      if (waited > KNOWN_MAX_MS) {
        throw new LogError('UNREACHABLE', 'kafka: the brokers do not have what they were given');
      }
      await sleep(KNOWN_LOOK_MS);
    }
  }

  async close(): Promise<void> {
    await this.admin.disconnect().catch(() => undefined);
  }
}

function right(name: string, found: string | null, wanted: string | null): Drift {
  return { kind: 'right', name, found, wanted, manual: false };
}

async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toKafkaError(error, what);
  }
}

/** The contract on a cluster that has fewer brokers, or for a fleet that needs less room. */
function adapted(spec: TopicSpec, { brokers, partitions }: ProvisionOptions): TopicSpec {
  const replicas = Math.min(spec.replicas, brokers ?? spec.replicas);
  const count = spec.partitions === 1 ? 1 : (partitions ?? spec.partitions);
  if (64 % count !== 0) throw new LogError('BAD_REQUEST', `${count} partitions do not divide 64`);
  const inSync = Math.min(Number(spec.settings['min.insync.replicas'] ?? 1), replicas);
  const settings = { ...spec.settings, 'min.insync.replicas': `${inSync}` };
  return { ...spec, replicas, partitions: count, settings };
}

/** The word for a number of the protocol; kafkajs has only the numbers of words. */
function wordOf(words: object, number: number): string {
  return Object.entries(words).find(([, one]) => one === number)?.[0] ?? `${number}`;
}

function nameOf(entry: AclEntry): string {
  const { principal, operation, resourceType, resourceName, resourcePatternType } = entry;
  const what = wordOf(AclResourceTypes, resourceType).toLowerCase();
  const more = resourcePatternType === ResourcePatternTypes.PREFIXED ? '*' : '';
  const denied = entry.permissionType === AclPermissionTypes.DENY ? ' denied' : '';
  const done = wordOf(AclOperationTypes, operation);
  return `${principal} ${done} ${what} ${resourceName}${more}${denied}`;
}

/** The rights of one user, in the words of the brokers. */
function rightsOf(client: KafkaClient, role: RoleSpec, user: string): AclEntry[] {
  const base = {
    principal: `User:${user}`,
    host: '*',
    permissionType: AclPermissionTypes.ALLOW,
    resourcePatternType: ResourcePatternTypes.LITERAL,
  };
  const topic = (name: RoleSpec['reads'][number], operation: number): AclEntry => ({
    ...base,
    operation,
    resourceType: AclResourceTypes.TOPIC,
    resourceName: client.topic(name),
  });
  const { reads, writes, group, transactionalIds } = role;
  const rights = [
    ...reads.map((name) => topic(name, AclOperationTypes.READ)),
    ...writes.map((name) => topic(name, AclOperationTypes.WRITE)),
  ];
  if (group !== null) {
    const resourceName = client.named(group);
    const on = { resourceType: AclResourceTypes.GROUP, resourceName };
    rights.push({ ...base, ...on, operation: AclOperationTypes.READ });
  }
  if (transactionalIds !== null) {
    const resourceName = client.named(transactionalIds);
    const resourcePatternType = ResourcePatternTypes.PREFIXED;
    const on = { resourceType: AclResourceTypes.TRANSACTIONAL_ID, resourceName };
    rights.push({ ...base, ...on, resourcePatternType, operation: AclOperationTypes.WRITE });
  }
  return rights;
}
