import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaServer, RedisServer } from '#testkit/servers';
import type { Service } from '../fleet/process.ts';
import { END_TXN, type FaultyPath } from './faulty-path.ts';

/** A script of this directory in a process of its own. */
export class Script {
  private readonly args: readonly string[];
  private child: ChildProcess | null = null;

  constructor(file: string, args: readonly string[]) {
    this.args = [resolve(import.meta.dirname, file), ...args];
  }

  start(): void {
    const options = ['--disable-warning=ExperimentalWarning', ...this.args];
    this.child = spawn(process.execPath, options, { stdio: 'inherit' });
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  }

  get isDone(): boolean {
    return this.child?.exitCode === 0;
  }

  get isRunning(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }
}

export interface Victims {
  /** The first of them reaches Kafka through the proxy. */
  readonly enrichers: Service[];
  readonly startEnricher: (n: number) => Service;
  readonly feeder: Script;
  readonly enforcer: Script;
  readonly kafka: KafkaServer;
  readonly redis: RedisServer;
  readonly proxy: FaultyPath;
  readonly random: () => number;
}

const TAKEOVER_MS = 3000;
const CAUGHT_MS = 5000;

/** Kills one of a kind, and starts it again after a moment. */
export function killers(victims: Victims): Readonly<Record<string, () => Promise<void>>> {
  const { enrichers, startEnricher, feeder, enforcer, kafka, redis, random } = victims;
  return {
    enricher: async () => {
      const n = Math.floor(random() * enrichers.length);
      await enrichers[n]?.kill();
      await sleep(500 * random());
      enrichers[n] = startEnricher(n);
    },
    feeder: async () => {
      if (feeder.isDone) return;
      await feeder.kill();
      feeder.start();
    },
    enforcer: async () => {
      await enforcer.kill();
      await sleep(500 * random());
      enforcer.start();
    },
    broker: async () => {
      await kafka.kill();
      await sleep(1000 * random());
      await kafka.restart();
    },
    redis: async () => {
      await redis.kill();
      await sleep(1000 * random());
      await redis.restart();
    },
    takeover: () => takeover(victims),
  };
}

/**
 * Holds what the first enricher is about to commit while a third one joins, gets partitions of it
 * and fences it; then lets it arrive, and the third one leaves.
 */
async function takeover({ enrichers, startEnricher, proxy }: Victims): Promise<void> {
  const caught = proxy.holdRequests(END_TXN);
  // Behind the last event nothing is committed any more.
  const held = await Promise.race([caught.then(() => true), sleep(CAUGHT_MS, false)]);
  const third = startEnricher(enrichers.length);
  await sleep(TAKEOVER_MS);
  proxy.open();
  console.log(`takeover: ${held ? 'an EndTxn was held' : 'nothing was committed'}`);
  await third.stop();
}
