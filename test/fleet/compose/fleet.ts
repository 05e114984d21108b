import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendants, killTree, run, waitFor } from '#testkit';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import { type ComposeService, composeServices, ROOT } from './file.ts';

const HEALTHY_MS = 60_000;
const VOLUME = '/var/lib/warden';

export interface FleetOptions {
  readonly profiles: readonly string[];
  readonly say: (line: string) => void;
}

/** The services of docker-compose.yml as processes of this machine, in the order they need. */
export class ComposeFleet {
  private readonly options: FleetOptions;
  private readonly children = new Map<string, ChildProcess>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'warden-fleet-'));
  /** What a name or place of the file is on this machine. */
  private readonly places = new Map<string, string>();
  private kafka: KafkaServer | null = null;
  private redis: RedisServer | null = null;

  constructor(options: FleetOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    const services = composeServices().filter(
      ({ profiles }) =>
        profiles.length === 0 || profiles.some((one) => this.options.profiles.includes(one)),
    );
    this.kafka = await KafkaServer.start();
    this.redis = await RedisServer.start();
    const [enricher = 0, agent = 0] = await freePorts(2);
    this.places.set('kafka:9092', this.kafka.addresses[0] ?? '');
    this.places.set('redis:6379', `127.0.0.1:${this.redis.port}`);
    this.places.set('127.0.0.1:7080', `127.0.0.1:${enricher}`);
    this.places.set('127.0.0.1:7081', `127.0.0.1:${agent}`);
    this.places.set(VOLUME, join(this.directory, 'lib'));
    // The services' user must be able to pass through.
    chmodSync(this.directory, 0o711);
    for (const name of ['run', 'lib']) mkdirSync(join(this.directory, name), { mode: 0o755 });
    this.options.say(`kafka ${this.place('kafka:9092')}, redis ${this.place('redis:6379')}`);
    for (const service of services.filter(({ own }) => own)) await this.startService(service);
  }

  /** Address of a service's health, as the file has it. */
  place(text: string): string {
    return [...this.places].reduce((now, [from, to]) => now.replaceAll(from, to), text);
  }

  get runDir(): string {
    return join(this.directory, 'run');
  }

  private async startService(service: ComposeService): Promise<void> {
    const { name, command, health } = service;
    const lasts = health !== null;
    const [file = '', ...args] = command.map((one) => this.place(one));
    const env = { ...process.env, ...this.environment(service) };
    this.options.say(`${name}: ${command.join(' ')}`);
    if (!lasts) {
      const { code, stderr } = await run(file, args, { env, cwd: ROOT });
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
      return;
    }
    const child = spawn(file, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
    this.children.set(name, child);
    await waitFor(`a healthy ${name}`, () => this.isHealthy(service), HEALTHY_MS);
    this.options.say(`${name}: healthy`);
  }

  private environment({ environment }: ComposeService): Record<string, string> {
    const own = { WARDEN_RUN: this.runDir, WARDEN_ETC: join(this.directory, 'etc') };
    const entries = Object.entries(environment).map(([key, value]) => [key, this.place(value)]);
    return { ...own, ...Object.fromEntries(entries) };
  }

  /** Runs the health check of the file. Throws when the service has ended. */
  async isHealthy({ name, health }: ComposeService): Promise<boolean> {
    const child = this.children.get(name);
    if (child === undefined || child.exitCode !== null) throw new Error(`${name} has ended`);
    const [file = '', ...args] = (health ?? []).map((one) => this.place(one));
    return (await run(file, args, { cwd: ROOT })).code === 0;
  }

  async stop(): Promise<void> {
    for (const [name, child] of [...this.children].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((done) => child.once('exit', done));
      const below = descendants(child.pid ?? 0);
      killTree([child.pid ?? 0], 'SIGTERM');
      const timer = setTimeout(() => killTree([child.pid ?? 0, ...below], 'SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
      this.options.say(`${name}: ended`);
    }
    await Promise.all([this.kafka?.stop(), this.redis?.stop()]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
