/** A node's place in a cluster on the loopback. */
export interface NodePlace {
  readonly index: number;
  readonly port: number;
  readonly controllers: readonly number[];
  readonly data: string;
}

/**
 * Settings of a broker for tests: quick to notice that a node died, and small. The default of
 * `log.cleaner.dedupe.buffer.size` alone is 128 MiB of heap.
 */
export function propertiesOf({ index, port, controllers, data }: NodePlace) {
  const replicas = `${controllers.length}`;
  const inSync = controllers.length > 1 ? '2' : '1';
  const voters = controllers.map((one) => `127.0.0.1:${one}`).join(',');
  return {
    'process.roles': 'broker,controller',
    'node.id': `${index + 1}`,
    'controller.quorum.bootstrap.servers': voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllers[index]}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': data,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.num.partitions': '1',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    // Else a node that was killed waits up to 9 s for its old registration to expire.
    'broker.session.timeout.ms': '1500',
    'broker.heartbeat.interval.ms': '200',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.cleaner.io.buffer.size': '65536',
    'log.cleaner.backoff.ms': '200',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    'group.coordinator.threads': '1',
    // Transactions of the dead are aborted within a second, not within ten.
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  };
}
