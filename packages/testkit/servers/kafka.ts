import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type KafkaSettings, kafkaReady } from '#log/kafka';
import { waitFor } from '../processes.ts';
import type { Authority } from './authority.ts';
import { kafkaJars } from './cache.ts';
import { ServerProcess } from './child.ts';
import { freePorts } from './ports.ts';
import { propertiesOf, secured, withFront } from './properties.ts';

/** This machine, as its guests see it. */
export const GATEWAY = '10.0.2.2';
/** Any cluster id will do: nothing outlives a test. */
const CLUSTER = 'AAAAAAAAQACAAAAAAAAAAQ';
const READY_MS = 90_000;
const COMMON = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export interface KafkaOptions {
  readonly brokers?: number;
  /** Settings beside our own. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Port of a proxy: clients that come through it are kept there. For a single broker. */
  readonly front?: number;
  /** Guests of this machine come to `behind`, under the address that the machine has there. */
  readonly guests?: boolean;
  /** TLS everywhere and rights for everything; for a single broker. */
  readonly secure?: Secure;
}

/** Users of SCRAM by name, with their passwords; `admin` may do everything. */
export interface Secure {
  readonly authority: Authority;
  readonly users: Readonly<Record<string, string>>;
  readonly admin: string;
}

/** A Kafka of a test's own in KRaft mode: each node is broker and controller, on the loopback. */
export class KafkaServer {
  readonly ports: readonly number[];
  /** Where a proxy goes with what comes to its port, and where guests come; 0 without one. */
  readonly behind: number;
  /** Where clients come by mutual TLS; 0 without TLS. */
  readonly mutual: number;
  private readonly directory: string;
  private readonly secure: Secure | null;
  private readonly nodes: readonly ServerProcess[];

  private constructor(
    directory: string,
    ports: readonly number[],
    more: { readonly behind: number; readonly mutual: number; readonly secure: Secure | null },
  ) {
    this.directory = directory;
    this.ports = ports;
    this.behind = more.behind;
    this.mutual = more.mutual;
    this.secure = more.secure;
    this.nodes = ports.map((_, index) => {
      const args = [...javaArgs(), '-Xms32m', '-Xmx512m', 'kafka.Kafka', this.file(index)];
      const log = join(directory, `node-${index}.log`);
      return new ServerProcess({ file: 'java', args, log });
    });
  }

  static async start(options: KafkaOptions = {}): Promise<KafkaServer> {
    const { brokers = 1, properties = {}, secure = null } = options;
    const directory = mkdtempSync(join(tmpdir(), 'warden-kafka-'));
    const [behind = 0, mutual = 0, ...ports] = await freePorts(2 + 2 * brokers);
    const kafka = new KafkaServer(directory, ports.slice(0, brokers), { behind, mutual, secure });
    const controllers = ports.slice(brokers);
    const front = options.guests === true ? `${GATEWAY}:${behind}` : `127.0.0.1:${options.front}`;
    const hasFront = options.guests === true || options.front !== undefined;
    for (const [index, port] of kafka.ports.entries()) {
      const data = join(directory, `data-${index}`);
      mkdirSync(data);
      const own = propertiesOf({ index, port, controllers, data });
      const open = hasFront ? withFront(own, { behind, front }) : own;
      const settings = secure === null ? open : kafka.securedBy(secure, own, port);
      const lines = Object.entries({ ...settings, ...properties });
      writeFileSync(kafka.file(index), lines.map(([key, value]) => `${key}=${value}\n`).join(''));
    }
    await kafka.format(controllers);
    for (const node of kafka.nodes) node.start();
    await kafka.ready();
    return kafka;
  }

  private securedBy(
    { authority, admin }: Secure,
    own: ReturnType<typeof propertiesOf>,
    scram: number,
  ): Record<string, string> {
    const { cert, key } = authority.issue('broker');
    const keys = join(this.directory, 'broker.keys.pem');
    writeFileSync(keys, `${key}${cert}${authority.pem}`, { mode: 0o600 });
    const ports = { scram, mutual: this.mutual };
    return secured(own, { ports, keys, authority: authority.file, admin });
  }

  get addresses(): string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  pidOf(index = 0): number {
    return this.nodes[index]?.pid ?? 0;
  }

  async kill(index = 0): Promise<void> {
    await this.nodes[index]?.end('SIGKILL');
  }

  async restart(index = 0): Promise<void> {
    this.nodes[index]?.start();
    await this.ready();
  }

  /** Until every node that runs is registered and a record can be written. */
  async ready(): Promise<void> {
    const running = this.nodes.filter((node) => node.isRunning).length;
    try {
      const isReady = () => kafkaReady(this.addresses, running, this.access());
      await waitFor('a Kafka that answers', isReady, READY_MS);
    } catch (error) {
      throw new Error(`kafka said: ${this.nodes[0]?.said()}`, { cause: error });
    }
  }

  /** How a client who may do everything comes in. */
  access(): Pick<KafkaSettings, 'tls' | 'user'> {
    const { secure } = this;
    if (secure === null) return { tls: null, user: null };
    const { authority, admin, users } = secure;
    const user = { name: admin, password: users[admin] ?? '' };
    return { tls: { ca: authority.pem }, user };
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) if (node.isRunning) await node.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async format(controllers: readonly number[]): Promise<void> {
    const one = controllers.length === 1;
    const initial = controllers.map((port, n) => `${n + 1}@127.0.0.1:${port}:${directoryId(n)}`);
    const quorum = one ? ['--standalone'] : ['--initial-controllers', initial.join(',')];
    const users = Object.entries(this.secure?.users ?? {}).flatMap(([name, password]) => [
      '--add-scram',
      `SCRAM-SHA-512=[name=${name},password=${password}]`,
    ]);
    for (const index of this.ports.keys()) {
      const tool = ['kafka.tools.StorageTool', 'format', ...quorum, '-t', CLUSTER, ...users];
      await promisify(execFile)('java', [...javaArgs(), ...tool, '-c', this.file(index)]);
    }
  }

  private file(index: number): string {
    return join(this.directory, `node-${index}.properties`);
  }
}

function javaArgs(): string[] {
  const log4j = join(import.meta.dirname, 'log4j2.properties');
  return [...COMMON, `-Dlog4j2.configurationFile=${log4j}`, '-cp', `${kafkaJars()}/*`];
}

/** A node's directory id: 16 bytes in base64, different for each. */
function directoryId(index: number): string {
  return `AAAAAAAAAAAAAAAAAAA0${index + 1}A`;
}
