import { decode } from '#event';
import { KafkaClient, KafkaLog } from '#log/kafka';
import { type GuestError, type Kernel, runGuest } from '../../kernel/guest/index.ts';
import { guestHost } from '../guest-host.ts';

export interface FleetGuestOptions {
  readonly kernel: Kernel;
  readonly name: string;
  readonly key: Uint8Array;
  readonly signing: Uint8Array;
  /** Of the broker: for guests, and as this machine reaches it. */
  readonly kafkaPort: number;
  readonly kafka: string;
  readonly say: (line: string) => void;
}

const DAY_SECONDS = 24 * 3600;
const PAGE = { records: 1000, bytes: 1024 * 1024 };

/** A second host of a fleet, with a kernel of its own. It is there when its first event is. */
export class FleetGuest {
  readonly name: string;
  private readonly ended = new AbortController();
  private readonly log: KafkaLog;
  private readonly done: Promise<void>;
  private readonly next = new Map<number, number>();
  private isThere = false;

  constructor(options: FleetGuestOptions) {
    const { name, kafka, say } = options;
    this.name = name;
    const settings = { brokers: [kafka], clientId: 'fleet', prefix: '', tls: null, user: null };
    this.log = new KafkaLog(new KafkaClient(settings));
    const { signal } = this.ended;
    const job = guestHost({ ...options, fleet: '', policy: null });
    this.done = runGuest({ ...job, signal, timeoutSeconds: DAY_SECONDS, say }).then(
      ({ status, stderr }) => say(`${name} has ended with ${status}: ${stderr.slice(-2000)}`),
      (error: GuestError) => {
        if (!signal.aborted) say(`${name}: ${error.message}`);
      },
    );
  }

  /** Whether a frame of this host is in `bpf.events`. */
  async hasSpoken(): Promise<boolean> {
    const topic = 'bpf.events';
    const partitions = await this.log.partitions(topic);
    for (let partition = 0; partition < partitions && !this.isThere; partition++) {
      const from = this.next.get(partition) ?? 0;
      const { records, next } = await this.log.readSparse({ topic, partition }, from, PAGE);
      this.next.set(partition, next);
      this.isThere = records.some(({ value }) => value !== null && hostOf(value) === this.name);
    }
    return this.isThere;
  }

  async stop(): Promise<void> {
    this.ended.abort();
    await this.done;
    await this.log.close();
  }
}

/** The host that a frame names; null for a control record. */
function hostOf(value: Uint8Array): string | null {
  try {
    return decode('Frame', value).host;
  } catch {
    return null;
  }
}
