import { randomUUID } from 'node:crypto';
import './ioredis.ts';
import { Redis } from 'ioredis';
import { storedKey } from '#log';
import type { StateChange } from '../port.ts';
import { hashKey, MARK, MARKED_MS, timersKey } from './keys.ts';
import { pack, UNPACK } from './packed.ts';
import { openValue } from './sealed.ts';

export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  /** Before every key: several fleets in one Redis. */
  readonly prefix: string;
  readonly user: { readonly name: string; readonly password: string } | null;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | null;
}

/** Redis has not what the changelog says, or has something that is not ours. */
export class ViewError extends Error {
  /** `away`: no answer · `behind`: lost or foreign writes · `forged`: a wrong MAC. */
  readonly reason: 'away' | 'behind' | 'forged';

  constructor(reason: ViewError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ViewError';
    this.reason = reason;
  }
}

/** What a lane's write does; `expected` is the mark that must stand there. */
export interface LaneWrite {
  readonly lane: number;
  readonly expected: number;
  readonly next: number;
  readonly changes: readonly StateChange[];
}

const COMMAND_MS = 2000;
/** Fields of one command while a lane is filled. */
const FILL = 500;

/**
 * Applies a lane's changes if its mark is the expected one, or if they were applied already and
 * only the answer was lost. KEYS: hash, timers. ARGV: expected, next, ms, packed changes.
 */
const WRITE = `${UNPACK}
local mark = redis.call('HGET', KEYS[1], '${MARK}')
if mark ~= ARGV[1] and mark ~= ARGV[2] then return mark or '' end
apply(ARGV[4])
redis.call('HSET', KEYS[1], '${MARK}', ARGV[2], '${MARKED_MS}', ARGV[3])
return false
`;

/** Empties a lane and sets its mark. KEYS: hash, timers. ARGV: the mark. */
const CLEAR = `
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], '${MARK}', ARGV[1])
return false
`;

type Script = (...args: (string | number | Buffer)[]) => Promise<Buffer | null>;

interface Scripts {
  readonly wardenWriteBuffer: Script;
  readonly wardenClear: Script;
}

/** The fleet's state as Redis has it: fast to ask, never believed without its marks and MACs. */
export class RedisView {
  private readonly redis: Redis & Scripts;
  private readonly prefix: string;
  private readonly key: Uint8Array;
  /** Why there is no connection, as far as it is known. */
  private lastError: string | null = null;

  constructor({ host, port, prefix, user, tls }: RedisSettings, key: Uint8Array) {
    this.prefix = prefix;
    this.key = key;
    const redis = new Redis({
      host,
      port,
      ...(user !== null && { username: user.name, password: user.password }),
      ...(tls !== null && { tls }),
      // A command fails at once where the answer is not to be had: the changelog has it too.
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      // What the lanes of a batch ask and write travels together.
      enableAutoPipelining: true,
      autoResendUnfulfilledCommands: false,
      commandTimeout: COMMAND_MS,
      connectTimeout: COMMAND_MS,
      retryStrategy: (times) => Math.min(50 * times, 500),
    });
    // Each attempt that fails says why; who asks is told only that there is no connection.
    redis.on('error', ({ message }: Error) => {
      this.lastError = message;
    });
    redis.on('ready', () => {
      this.lastError = null;
    });
    redis.defineCommand('wardenWrite', { numberOfKeys: 2, lua: WRITE });
    redis.defineCommand('wardenClear', { numberOfKeys: 2, lua: CLEAR });
    this.redis = redis as Redis & Scripts;
  }

  /** Resolves when Redis answers, or `waitMs` have passed. Throws `ViewError` away. */
  async ready(waitMs: number): Promise<void> {
    if (this.redis.status !== 'ready') {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      this.redis.once('ready', resolve);
      await promise;
      clearTimeout(timer);
      this.redis.off('ready', resolve);
    }
    await this.ask(() => this.redis.ping());
  }

  /** A lane's mark and when it was written; null where there is none. */
  async mark(lane: number): Promise<{ next: number; markedMs: number } | null> {
    const key = hashKey(this.prefix, lane);
    const [next, ms] = await this.ask(() => this.redis.hmget(key, MARK, MARKED_MS));
    if (next == null || !/^\d+$/.test(next)) return null;
    return { next: Number(next), markedMs: Number(ms ?? 0) };
  }

  /** Values of fields, null where absent, with the lane's mark. Throws `ViewError`. */
  async values(lane: number, fields: readonly string[]) {
    const key = hashKey(this.prefix, lane);
    const [mark, ...found] = await this.ask(() => this.redis.hmgetBuffer(key, MARK, ...fields));
    const values = found.map((bytes, index) => {
      if (bytes === null) return null;
      const field = fields[index] as string;
      const value = openValue(this.key, `${lane}/${field}`, bytes);
      if (value !== null) return value;
      throw new ViewError('forged', `redis: ${key}: a value with a wrong MAC: ${field}`);
    });
    return { next: mark == null ? null : Number(mark.toString()), values };
  }

  /** All fields of a lane. */
  async fields(lane: number): Promise<string[]> {
    const key = hashKey(this.prefix, lane);
    const found: string[] = [];
    for (let cursor = '0'; ; ) {
      const at = cursor;
      const [next, pairs] = await this.ask(() => this.redis.hscanBuffer(key, at, 'COUNT', 1000));
      for (const [n, field] of pairs.entries()) if (n % 2 === 0) found.push(field.toString());
      cursor = next.toString();
      if (cursor === '0') return [...new Set(found)];
    }
  }

  /** Timers of a lane behind `after`, in order. */
  async timers(lane: number, after: string | null, limit: number): Promise<string[]> {
    const key = timersKey(this.prefix, lane);
    const from = after === null ? '-' : `(${storedKey(after)}`;
    return this.ask(() => this.redis.zrangebylex(key, from, '+', 'LIMIT', 0, limit));
  }

  /** Throws `ViewError` behind when the lane's mark is another. */
  async write({ lane, expected, next, changes }: LaneWrite, nowMs: number): Promise<void> {
    await this.move({ lane, changes }, { expected: `${expected}`, next: `${next}` }, nowMs);
  }

  private async move(
    { lane, changes }: Pick<LaneWrite, 'lane' | 'changes'>,
    { expected, next }: { readonly expected: string; readonly next: string },
    nowMs: number,
  ): Promise<void> {
    const keys = [hashKey(this.prefix, lane), timersKey(this.prefix, lane)];
    const packed = pack(this.key, lane, changes);
    const found = await this.ask(() =>
      this.redis.wardenWriteBuffer(...keys, expected, next, nowMs, packed),
    );
    if (found === null) return;
    const stands = found.length === 0 ? 'none' : found.toString();
    throw new ViewError('behind', `redis: ${keys[0]}: mark ${stands}, expected ${expected}`);
  }

  /**
   * Makes a lane what `changes` say and nothing else. The mark comes last. Throws `ViewError`
   * behind when somebody else writes or fills the lane meanwhile.
   */
  async fill({ lane, next, changes }: Omit<LaneWrite, 'expected'>, nowMs: number): Promise<void> {
    const keys = [hashKey(this.prefix, lane), timersKey(this.prefix, lane)] as const;
    // A mark that no offset can be, and no other fill has: the lane counts as broken until it is
    // complete, and two who fill it at once can't mix what they bring.
    const filling = `filling ${randomUUID()}`;
    await this.ask(() => this.redis.wardenClear(...keys, filling));
    for (let from = 0; from < changes.length; from += FILL) {
      const part = { lane, changes: changes.slice(from, from + FILL) };
      await this.move(part, { expected: filling, next: filling }, nowMs);
    }
    await this.move({ lane, changes: [] }, { expected: filling, next: `${next}` }, nowMs);
  }

  async close(): Promise<void> {
    this.redis.disconnect();
  }

  private async ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ViewError) throw error;
      const { message } = error as Error;
      throw new ViewError('away', `redis: ${adviceOf(this.lastError ?? message)}`, {
        cause: error,
      });
    }
  }
}

/** What Redis or its TLS says, and what to do about it. */
function adviceOf(message: string): string {
  if (/^(WRONGPASS|NOAUTH)/.test(message)) return `${message}: see WARDEN_REDIS_USER`;
  if (/^NOPERM/.test(message)) return `${message}: see deploy/redis/users.acl`;
  if (/certificate|self-signed/.test(message)) return `${message}: see WARDEN_REDIS_CA`;
  return message;
}
