import { realpathSync } from 'node:fs';
import { BroadcastChannel } from 'node:worker_threads';
import type { Database } from './database.ts';

/** How often another process's commits are looked for while somebody listens. */
const POLL_MS = 30;

/**
 * Tells listeners of commits: by its own connection at once, by other threads of this process
 * through a broadcast, by other processes through SQLite's data version, asked every 30 ms (about 1
 * µs). Nothing of it keeps a process alive, and without listeners nothing runs. `alone`: there are
 * no others, and nobody is told or asked.
 */
export class CommitSignal {
  private readonly database: Database;
  private readonly channel: BroadcastChannel | null;
  private readonly listeners = new Set<() => void>();
  private timer: NodeJS.Timeout | null = null;
  private version = 0;

  constructor(database: Database, { alone = false }: { readonly alone?: boolean } = {}) {
    this.database = database;
    const name = `warden:commit:${realpathSync(database.file)}`;
    this.channel = alone ? null : new BroadcastChannel(name);
    this.channel?.unref();
  }

  /** Called after each commit of this connection. */
  committed(): void {
    this.channel?.postMessage(null);
    this.tell();
  }

  listen(listener: () => void): () => void {
    // An object of its own: the same function may listen twice.
    const entry = () => listener();
    this.listeners.add(entry);
    this.start();
    return () => {
      this.listeners.delete(entry);
      if (this.listeners.size === 0) this.stop();
    };
  }

  close(): void {
    this.listeners.clear();
    this.stop();
    this.channel?.close();
  }

  private start(): void {
    if (this.timer !== null || this.channel === null) return;
    this.version = this.database.dataVersion();
    this.timer = setInterval(() => this.check(), POLL_MS);
    this.timer.unref();
    this.channel.onmessage = () => this.check();
    this.channel.unref();
  }

  private stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    if (this.channel !== null) this.channel.onmessage = ignore;
  }

  /** A broadcast and the poll after it find the same commit: only one of them tells. */
  private check(): void {
    let version: number;
    try {
      version = this.database.dataVersion();
    } catch {
      // A timer has nobody to tell: whoever reads next meets the same error.
      return;
    }
    if (version === this.version) return;
    this.version = version;
    this.tell();
  }

  private tell(): void {
    // Not within the commit: what a listener throws must not look like the commit's failure.
    for (const listener of this.listeners) {
      queueMicrotask(() => {
        if (this.listeners.has(listener)) listener();
      });
    }
  }
}

function ignore(): void {}
