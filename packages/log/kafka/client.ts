// Before kafkajs itself, parts of which they replace.
import './encode.ts';
import './queue.ts';
import './room.ts';
import type { TLSSocketOptions } from 'node:tls';
import kafkajs, { type KafkaConfig, type Kafka as KafkaInstance } from 'kafkajs';
import type { Logger } from '#telemetry';
import { brokerName, type FleetTopic } from './topics.ts';

const { Kafka, logLevel } = kafkajs;

/** How a service reaches the brokers. Secrets are values here, read from files by the caller. */
export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Before every topic, group and transactional id: several fleets on the same brokers. */
  readonly prefix: string;
  readonly tls: Pick<TLSSocketOptions, 'ca' | 'cert' | 'key'> | null;
  readonly user: { readonly name: string; readonly password: string } | null;
}

/** Long enough for a broker's restart; short at first, for transactions that follow each other. */
export const PATIENT = { initialRetryTime: 5, multiplier: 1.5, maxRetryTime: 250, retries: 80 };

/** For a person who waits for the answer: some two seconds. */
export const IMPATIENT = { ...PATIENT, retries: 12 };

/** One service's way to the brokers: makes producers, readers and names from one configuration. */
export class KafkaClient {
  readonly settings: KafkaSettings;
  readonly config: KafkaConfig;
  readonly kafka: KafkaInstance;

  constructor(
    settings: KafkaSettings,
    logger: Logger | null = null,
    retry: typeof PATIENT = PATIENT,
  ) {
    const { brokers, clientId, tls, user } = settings;
    this.settings = settings;
    this.config = {
      brokers: [...brokers],
      clientId,
      // With the handshake of TLS, on a machine that has much to do.
      connectionTimeout: 5000,
      requestTimeout: 15_000,
      retry,
      ...(tls !== null && { ssl: tls }),
      ...(user !== null && {
        sasl: { mechanism: 'scram-sha-512', username: user.name, password: user.password },
      }),
      // What matters of it comes back as an error; the rest is for those who look closely.
      logLevel: logger === null ? logLevel.NOTHING : logLevel.WARN,
      logCreator: () => (entry) => {
        const { message } = entry.log;
        logger?.debug({ from: 'kafkajs', namespace: entry.namespace }, message);
      },
    };
    this.kafka = new Kafka(this.config);
  }

  topic(topic: FleetTopic): string {
    return brokerName(topic, this.settings.prefix);
  }

  /** A group or a transactional id. */
  named(name: string): string {
    return `${this.settings.prefix}${name}`;
  }
}
