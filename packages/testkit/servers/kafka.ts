import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kafkaReady } from '#log/kafka';
import { waitFor } from '../processes.ts';
import { kafkaJars } from './cache.ts';
import { ServerProcess } from './child.ts';
import { freePorts } from './ports.ts';
import { propertiesOf } from './properties.ts';

/** Any cluster id will do: nothing outlives a test. */
const CLUSTER = 'AAAAAAAAQACAAAAAAAAAAQ';
const READY_MS = 90_000;
const COMMON = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export interface KafkaOptions {
  readonly brokers?: number;
  /** Settings beside our own. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** A Kafka of a test's own in KRaft mode: each node is broker and controller, on the loopback. */
export class KafkaServer {
  readonly ports: readonly number[];
  private readonly directory: string;
  private readonly nodes: readonly ServerProcess[];

  private constructor(directory: string, ports: readonly number[]) {
    this.directory = directory;
    this.ports = ports;
    this.nodes = ports.map((_, index) => {
      const args = [...javaArgs(), '-Xms32m', '-Xmx512m', 'kafka.Kafka', this.file(index)];
      const log = join(directory, `node-${index}.log`);
      return new ServerProcess({ file: 'java', args, log });
    });
  }

  static async start(options: KafkaOptions = {}): Promise<KafkaServer> {
    const { brokers = 1, properties = {} } = options;
    const directory = mkdtempSync(join(tmpdir(), 'warden-kafka-'));
    const ports = await freePorts(2 * brokers);
    const kafka = new KafkaServer(directory, ports.slice(0, brokers));
    const controllers = ports.slice(brokers);
    for (const [index, port] of kafka.ports.entries()) {
      const data = join(directory, `data-${index}`);
      mkdirSync(data);
      const settings = propertiesOf({ index, port, controllers, data });
      const lines = Object.entries({ ...settings, ...properties });
      writeFileSync(kafka.file(index), lines.map(([key, value]) => `${key}=${value}\n`).join(''));
    }
    await kafka.format(controllers);
    for (const node of kafka.nodes) node.start();
    await kafka.ready();
    return kafka;
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
      await waitFor('a Kafka that answers', () => kafkaReady(this.addresses, running), READY_MS);
    } catch (error) {
      throw new Error(`kafka said: ${this.nodes[0]?.said()}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) if (node.isRunning) await node.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async format(controllers: readonly number[]): Promise<void> {
    const one = controllers.length === 1;
    const initial = controllers.map((port, n) => `${n + 1}@127.0.0.1:${port}:${directoryId(n)}`);
    const quorum = one ? ['--standalone'] : ['--initial-controllers', initial.join(',')];
    for (const index of this.ports.keys()) {
      const tool = ['kafka.tools.StorageTool', 'format', ...quorum, '-t', CLUSTER];
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
