import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../processes.ts';
import { redisProgram } from './cache.ts';
import { ServerProcess } from './child.ts';
import { freePorts } from './ports.ts';

/** A Redis of a test's own, on the loopback, without a file. */
export class RedisServer {
  readonly port: number;
  private readonly directory: string;
  private readonly server: ServerProcess;

  private constructor(port: number, directory: string) {
    this.port = port;
    this.directory = directory;
    const { file, argv0 } = redisProgram();
    const settings = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory];
    const memory = ['--save', '', '--appendonly', 'no'];
    const args = [...settings, ...memory];
    this.server = new ServerProcess({ file, argv0, args, log: join(directory, 'redis.log') });
  }

  static async start(): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const redis = new RedisServer(port, mkdtempSync(join(tmpdir(), 'warden-redis-')));
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
      await waitFor('a Redis that answers', () => answers(this.port), 20_000);
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

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      done(data.toString().startsWith('+PONG'));
    });
    socket.once('error', () => done(false));
  });
}
