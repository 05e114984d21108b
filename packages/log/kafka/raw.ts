import { createRequire } from 'node:module';
import type { KafkaConfig } from 'kafkajs';

/**
 * The layer below kafkajs's consumer: fetch requests that we send ourselves. Its consumer pushes
 * batches at its own pace, resolves committed offsets before user code runs, and jumps to the high
 * watermark over an empty batch, which lies beyond open transactions. A reader that asks has none
 * of that. kafkajs 2.2.4 is pinned and exports these files; nothing else here knows of them.
 */
export interface RawMessage {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | undefined>>;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

export interface RawPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly abortedTransactions?: readonly { producerId: string; firstOffset: string }[];
  readonly messages: RawMessage[];
}

export interface FetchPartition {
  readonly partition: number;
  readonly fetchOffset: string;
  readonly maxBytes: number;
}

export interface RawBroker {
  fetch(request: {
    readonly replicaId: number;
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly { topic: string; partitions: readonly FetchPartition[] }[];
  }): Promise<{ responses: { topicName: string; partitions: RawPartition[] }[] }>;
  listOffsets(request: {
    readonly replicaId: number;
    readonly isolationLevel: number;
    readonly topics: readonly {
      topic: string;
      partitions: readonly { partition: number; timestamp: string }[];
    }[];
  }): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>;
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly { topic: string; partitions: readonly { partition: number }[] }[];
  }): Promise<{ responses: { topic: string; partitions: { offset: string }[] }[] }>;
}

export interface RawCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
  findBroker(options: { nodeId: number | string }): Promise<RawBroker>;
  findGroupCoordinator(options: { groupId: string }): Promise<RawBroker>;
  removeBroker(place: { host: string; port: number }): void;
}

interface RawLogger {
  namespace(name: string): RawLogger;
}

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster') as new (options: object) => RawCluster;
const { createLogger } = require('kafkajs/src/loggers') as {
  createLogger(options: object): RawLogger;
};
const filterAborted = require('kafkajs/src/consumer/filterAbortedMessages') as (
  partition: Pick<RawPartition, 'messages' | 'abortedTransactions'>,
) => RawMessage[];
const socketFactory = require('kafkajs/src/network/socketFactory') as () => unknown;

const METADATA_MAX_AGE_MS = 60_000;

/** A connection pool of its own: a fetch that waits holds up whatever comes behind it on one. */
export function openCluster(config: KafkaConfig): RawCluster {
  const { logLevel, logCreator, ...rest } = config;
  return new Cluster({
    connectionTimeout: 1000,
    enforceRequestTimeout: true,
    ...rest,
    socketFactory: socketFactory(),
    logger: createLogger({ level: logLevel, logCreator }),
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
  });
}

/** What a reader may see: records of no aborted transaction, and no control records. */
export function visibleOf(partition: RawPartition): RawMessage[] {
  return filterAborted(partition).filter(({ isControlRecord }) => !isControlRecord);
}
