import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../processes.ts';
import type { Authority } from './authority.ts';
import { redisProgram } from './cache.ts';
import { ServerProcess } from './child.ts';
import { freePorts } from './ports.ts';

export interface RedisOptions {
  /** TLS only, and the users of this file (Redis calls it an ACL file). */
  readonly secure?: { readonly authority: Authority; readonly users: string };
}

/** A Redis of a test's own, on the loopback, without a file. */
export class RedisServer {
  readonly port: number;
  private readonly directory: string;
  private readonly server: ServerProcess;
  private readonly isSecure: boolean;

  private constructor(port: number, directory: string, { secure }: RedisOptions) {
    this.port = port;
    this.directory = directory;
    const { file, argv0 } = redisProgram();
    const listen =
      secure === undefined ? ['--port', `${port}`] : ['--port', '0', '--tls-port', `${port}`];
    const settings = ['--bind', '127.0.0.1', ...listen, '--dir', directory];
    if (secure !== undefined) settings.push(...secured(directory, secure));
    this.isSecure = secure !== undefined;
    const memory = ['--save', '', '--appendonly', 'no'];
    const args = [...settings, ...memory];
    this.server = new ServerProcess({ file, argv0, args, log: join(directory, 'redis.log') });
  }

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const redis = new RedisServer(port, mkdtempSync(join(tmpdir(), 'warden-redis-')), options);
    await redis.restart();
    return redis;
  }

  get pid(): number {
    return this.server.pid;
  }

  /** Starts it, empty. */
  async restart(): Promise<void> {
    this.server.start();
    try {
      await waitFor('a Redis that answers', () => answers(this.port, this.isSecure), 20_000);
    } catch (error) {
      throw new Error(`redis-server said: ${this.server.said()}`, { cause: error });
    }
  }

  async kill(): Promise<void> {
    await this.server.end('SIGKILL');
  }

  pause(): void {
    this.server.signal('SIGSTOP');
  }

  resume(): void {
    this.server.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.server.isRunning) await this.server.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Certificate and users, as arguments. */
function secured(
  directory: string,
  { authority, users }: NonNullable<RedisOptions['secure']>,
): string[] {
  const { certFile, keyFile } = authority.issue('redis');
  const file = join(directory, 'users.acl');
  writeFileSync(file, users, { mode: 0o600 });
  const tls = ['--tls-cert-file', certFile, '--tls-key-file', keyFile];
  const clients = ['--tls-ca-cert-file', authority.file, '--tls-auth-clients', 'no'];
  return [...tls, ...clients, '--aclfile', file];
}

/** With TLS it is enough that somebody listens: who we are is for the test to say. */
function answers(port: number, isSecure: boolean): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      if (isSecure) socket.destroy();
      else socket.write('PING\r\n');
      if (isSecure) done(true);
    });
    socket.once('data', (data) => {
      socket.destroy();
      done(data.toString().startsWith('+PONG'));
    });
    socket.once('error', () => done(false)).once('close', () => done(false));
  });
}
