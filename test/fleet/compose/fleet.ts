import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendants, killTree, run, waitFor } from '#testkit';
import { freePorts, KafkaServer, RedisServer } from '#testkit/servers';
import type { Kernel } from '../../kernel/guest/index.ts';
import { type ComposeService, composeServices, ROOT } from './file.ts';
import { FleetGuest } from './guest.ts';

const HEALTHY_MS = 60_000;
const GUEST_MS = 300_000;
const VOLUME = '/var/lib/warden';
const GUEST = 'guest-1';

export interface FleetOptions {
  readonly profiles: readonly string[];
  /** One more host, in a virtual machine with this kernel. */
  readonly guest?: Kernel;
  readonly say: (line: string) => void;
}

/** A service, or a server, as a person wants to see it. */
export interface Row {
  readonly name: string;
  readonly is: 'healthy' | 'not healthy' | 'ended' | 'done';
  readonly where: string;
}

/** The services of docker-compose.yml as processes of this machine, in the order they need. */
export class ComposeFleet {
  private readonly options: FleetOptions;
  private readonly services: readonly ComposeService[];
  private readonly children = new Map<string, ChildProcess>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'warden-fleet-'));
  /** What a name or place of the file is on this machine. */
  private readonly places = new Map<string, string>();
  private kafka: KafkaServer | null = null;
  private redis: RedisServer | null = null;
  private guest: FleetGuest | null = null;

  constructor(options: FleetOptions) {
    this.options = options;
    this.services = composeServices().filter(
      ({ profiles }) =>
        profiles.length === 0 || profiles.some((one) => options.profiles.includes(one)),
    );
  }

  async start(): Promise<void> {
    const own = this.services.filter((service) => service.own);
    const guests = this.options.guest === undefined ? 0 : 1;
    const count = this.services.length + guests;
    const say = (n: number, what: string) => this.options.say(`[${n}/${count}] ${what}`);
    say(1, 'kafka');
    this.kafka = await KafkaServer.start({ guests: true });
    say(2, 'redis');
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
    const servers = this.services.length - own.length;
    for (const [n, service] of own.entries()) {
      say(servers + n + 1, `${service.name}: ${service.command.join(' ')}`);
      await this.startService(service);
    }
    if (guests === 0) return;
    say(count, `${GUEST}: a virtual machine with Linux ${this.options.guest}, takes minutes`);
    await this.startGuest();
  }

  /** Address of a service's health, as the file has it. */
  place(text: string): string {
    return [...this.places].reduce((now, [from, to]) => now.replaceAll(from, to), text);
  }

  pidOf(name: string): number {
    return this.children.get(name)?.pid ?? 0;
  }

  get runDir(): string {
    return join(this.directory, 'run');
  }

  /** Every service and server, as it is now. */
  async rows(): Promise<Row[]> {
    const rows = await Promise.all(this.services.map((service) => this.rowOf(service)));
    if (this.guest === null) return rows;
    const is = (await this.guest.hasSpoken()) ? 'healthy' : 'not healthy';
    return [...rows, { name: GUEST, is, where: 'its events come to bpf.events' }];
  }

  private async rowOf(service: ComposeService): Promise<Row> {
    const { name, own, health, environment } = service;
    const address = { kafka: 'kafka:9092', redis: 'redis:6379' }[name];
    if (!own) {
      const runs = name === 'kafka' ? this.kafka?.pidOf() : this.redis?.pid;
      const is = runs === undefined ? 'ended' : 'healthy';
      return { name, is, where: this.place(address ?? '') };
    }
    if (health === null) return { name, is: 'done', where: '' };
    const where = `http://${this.place(environment.WARDEN_HEALTH ?? '')}/healthz`;
    try {
      return { name, is: (await this.isHealthy(service)) ? 'healthy' : 'not healthy', where };
    } catch {
      return { name, is: 'ended', where };
    }
  }

  private async startService(service: ComposeService): Promise<void> {
    const { name, command, health } = service;
    const [file = '', ...args] = command.map((one) => this.place(one));
    const env = { ...process.env, ...this.environment(service) };
    if (health === null) {
      const { code, stderr } = await run(file, args, { env, cwd: ROOT });
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
      return;
    }
    // In a group of its own: a person's Ctrl-C is for us, who end it in its turn.
    const stdio = ['ignore', 'inherit', 'inherit'] as const;
    const child = spawn(file, args, { cwd: ROOT, env, stdio: [...stdio], detached: true });
    this.children.set(name, child);
    await waitFor(`a healthy ${name}`, () => this.isHealthy(service), HEALTHY_MS);
    this.options.say(`${name}: healthy`);
  }

  private async startGuest(): Promise<void> {
    const { guest: kernel, say } = this.options;
    const keys = this.services.find(({ name }) => name === 'keys');
    if (kernel === undefined || keys === undefined) return;
    const out = this.place(`${VOLUME}/${GUEST}`);
    const env = { ...process.env, ...this.environment(keys) };
    const enrolled = await run('./warden', ['host', 'enroll', GUEST, '--out', out], {
      env,
      cwd: ROOT,
    });
    if (enrolled.code !== 0) throw new Error(`${GUEST}: ${enrolled.stderr}`);
    const key = readFileSync(join(out, 'host.key'));
    const signing = readFileSync(join(out, 'sign.key'));
    const [kafka = ''] = this.kafka?.addresses ?? [];
    const kafkaPort = this.kafka?.behind ?? 0;
    const guest = new FleetGuest({ kernel, name: GUEST, key, signing, kafkaPort, kafka, say });
    this.guest = guest;
    await waitFor(`events of ${GUEST}`, () => guest.hasSpoken(), GUEST_MS);
    say(`${GUEST}: healthy`);
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
    await this.guest?.stop();
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
