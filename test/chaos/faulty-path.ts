import { connect, createServer, type Server, type Socket } from 'node:net';

/** Longest request of Kafka that is looked at. */
const REQUEST_MAX = 64 * 1024 * 1024;

/** What kafkajs calls EndTxn. */
export const END_TXN = 26;

interface Pair {
  readonly client: Socket;
  readonly broker: Socket;
}

/** Bytes that are not a whole request yet, and whether the rest has to wait. */
interface Held {
  bytes: Buffer;
  isHeld: boolean;
}

/** A TCP proxy before a broker: cuts, holds one way, holds one kind of request. */
export class FaultyPath {
  private readonly server: Server;
  private readonly target: number;
  private readonly pairs = new Map<Pair, Held>();
  private held: 'none' | 'up' | 'down' = 'none';
  private isCut = false;
  private watched: number | null = null;
  private caught = Promise.withResolvers<void>();

  private constructor(target: number) {
    this.target = target;
    this.server = createServer((client) => this.take(client));
  }

  static async start(port: number, target: number): Promise<FaultyPath> {
    const path = new FaultyPath(target);
    await new Promise<void>((resolve, reject) => {
      path.server.once('error', reject);
      path.server.listen(port, '127.0.0.1', resolve);
    });
    return path;
  }

  /** Ends every connection, and each new one at once. */
  cut(): void {
    this.isCut = true;
    for (const { client, broker } of this.pairs.keys()) {
      client.destroy();
      broker.destroy();
    }
  }

  /** One way: `up` nothing reaches the broker, `down` nothing comes back. */
  hold(way: 'up' | 'down'): void {
    this.held = way;
    for (const { client, broker } of this.pairs.keys()) (way === 'up' ? client : broker).pause();
  }

  /** Holds the next requests with this number, and what their connections send behind them. */
  holdRequests(api: number): Promise<void> {
    this.watched = api;
    this.caught = Promise.withResolvers();
    return this.caught.promise;
  }

  /** All as if nothing had been; what was held goes on. */
  open(): void {
    this.isCut = false;
    this.held = 'none';
    this.watched = null;
    for (const [pair, held] of this.pairs) {
      held.isHeld = false;
      pair.client.resume();
      pair.broker.resume();
      this.pass(pair, held);
    }
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((done) => this.server.close(done));
  }

  private take(client: Socket): void {
    client.on('error', () => undefined);
    if (this.isCut) {
      client.destroy();
      return;
    }
    const broker = connect(this.target, '127.0.0.1');
    const pair = { client, broker };
    const held = { bytes: Buffer.alloc(0), isHeld: false };
    this.pairs.set(pair, held);
    const end = () => {
      this.pairs.delete(pair);
      client.destroy();
      broker.destroy();
    };
    broker
      .on('error', end)
      .on('close', end)
      .on('data', (data) => client.write(data));
    client.on('close', end).on('data', (data: Buffer) => {
      held.bytes = Buffer.concat([held.bytes, data]);
      this.pass(pair, held);
    });
    if (this.held === 'up') client.pause();
    if (this.held === 'down') broker.pause();
  }

  /** Sends whole requests on: length (4 bytes), then what it is (2 bytes). */
  private pass({ broker }: Pair, held: Held): void {
    while (!held.isHeld && held.bytes.length >= 6) {
      const length = held.bytes.readInt32BE(0);
      if (length > REQUEST_MAX) throw new Error(`a request of ${length} bytes`);
      if (held.bytes.length < 4 + length) return;
      if (held.bytes.readInt16BE(4) === this.watched) {
        held.isHeld = true;
        this.caught.resolve();
        return;
      }
      broker.write(held.bytes.subarray(0, 4 + length));
      held.bytes = held.bytes.subarray(4 + length);
    }
  }
}
