import fc from 'fast-check';
import { hostName, incarnation } from '#event';
import type { KafkaClient } from '#log/kafka';
import { openMemoryStore, type Store } from '#state';
import { createLogger } from '#telemetry';
import { seed } from '#testkit';
import { Forwarder } from '../../services/collector/forwarder.ts';
import { Lanes } from '../../services/collector/lanes.ts';
import { eventOf, HOST, HOST_KEY, made } from '../pipeline/live-fold.ts';

const BATCH = 50;
/** Made up at once: what a generator keeps of each takes 20 kB. */
const PIECE = 5000;

/** A host's log without a kernel, forwarded when it is told to. */
export class Feed {
  readonly store: Store;
  /** Stored so far. */
  events = 0;
  private readonly lanes: Lanes;
  private readonly forwarder: Forwarder;

  private constructor(store: Store, lanes: Lanes, forwarder: Forwarder) {
    this.store = store;
    this.lanes = lanes;
    this.forwarder = forwarder;
  }

  static async open(client: KafkaClient, store: Store = openMemoryStore()): Promise<Feed> {
    const life = { host: hostName(HOST), incarnation: incarnation('00000000000000aa') };
    const lanes = await Lanes.open(store, { ...life, key: HOST_KEY });
    const logger = createLogger({ level: 'silent', name: 'feed' });
    return new Feed(
      store,
      lanes,
      await Forwarder.open({ store, client, logger, onAged: () => undefined, now: Date.now }),
    );
  }

  /** Stores events, a batch a commit, and sends them. */
  async send(count: number): Promise<void> {
    await this.add(count);
    while (await this.forwarder.step());
  }

  /** Sends what is stored, as a host does, until the signal. */
  forward(signal: AbortSignal): Promise<void> {
    return this.forwarder.run(signal);
  }

  /** What is stored and not yet acknowledged. */
  lag(): Promise<number> {
    return this.forwarder.lag();
  }

  /** Stores events, a batch a commit; `skewMs` is how wrong the host's clock is. */
  async add(count: number, { skewMs = 0 } = {}): Promise<void> {
    for (let from = 0; from < count; from += PIECE) {
      await this.addPiece(Math.min(PIECE, count - from), skewMs);
    }
  }

  private async addPiece(count: number, skewMs: number): Promise<void> {
    const all = fc.array(made, { minLength: count, maxLength: count });
    const [items = []] = fc.sample(all, { seed: seed + this.events });
    for (let from = 0; from < count; from += BATCH) {
      const events = items
        .slice(from, from + BATCH)
        .map((item) => eventOf(item, Date.now() + skewMs));
      const { outputs, state } = this.lanes.seal(events);
      await this.store.commit({ outputs, state, position: [] });
    }
    this.events += count;
  }

  async close(): Promise<void> {
    await this.forwarder.close();
    await this.store.close();
  }
}
