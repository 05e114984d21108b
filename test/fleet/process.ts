import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { descendants, killTree } from '#testkit';

const ROOT = resolve(import.meta.dirname, '../..');

/** A service of the fleet as a person starts it, with what it said. */
export class Service {
  private readonly child: ChildProcess;
  private readonly chunks: string[] = [];
  private readonly ended: Promise<number | null>;
  isRunning = true;

  /** `tree`: of another version of the product. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>>, tree = ROOT) {
    this.child = spawn(resolve(tree, 'warden'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => this.chunks.push(chunk.toString()));
    }
    this.ended = new Promise((done) => {
      this.child.on('close', (code) => {
        this.isRunning = false;
        done(code);
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get said(): string {
    return this.chunks.join('');
  }

  /** Pids of the processes below it. */
  get below(): number[] {
    return descendants(this.pid);
  }

  async kill(): Promise<void> {
    if (this.isRunning) killTree([this.pid, ...this.below], 'SIGKILL');
    await this.ended;
  }

  /** Asks it to stop, and waits. */
  async stop(): Promise<number | null> {
    if (this.isRunning) killTree([this.pid], 'SIGTERM');
    return this.ended;
  }
}
