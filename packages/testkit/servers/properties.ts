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

/** With one more listener, that tells its clients to come another way: to `front`, HOST:PORT. */
export function withFront(
  settings: ReturnType<typeof propertiesOf>,
  { behind, front }: { readonly behind: number; readonly front: string },
): ReturnType<typeof propertiesOf> {
  const map = 'listener.security.protocol.map';
  return {
    ...settings,
    listeners: `${settings.listeners},FRONT://127.0.0.1:${behind}`,
    'advertised.listeners': `${settings['advertised.listeners']},FRONT://${front}`,
    [map]: `${settings[map]},FRONT:PLAINTEXT`,
  };
}

export interface SecurePlace {
  /** SCRAM over TLS, and mutual TLS. */
  readonly ports: { readonly scram: number; readonly mutual: number };
  /** Key, certificate and authority of the broker in one file, and of the authority alone. */
  readonly keys: string;
  readonly authority: string;
  readonly admin: string;
}

/**
 * Without a plaintext listener: nodes by mutual TLS, clients by SCRAM over TLS or by mutual TLS,
 * and nobody may do what no right allows.
 */
export function secured(
  settings: ReturnType<typeof propertiesOf>,
  { ports, keys, authority, admin }: SecurePlace,
): Record<string, string> {
  const [, controller = ''] = settings.listeners.split(',');
  const scram = `SCRAM://127.0.0.1:${ports.scram}`;
  const mutual = `MUTUAL://127.0.0.1:${ports.mutual}`;
  const required = ['controller', 'mutual'].map((name) => [
    `listener.name.${name}.ssl.client.auth`,
    'required',
  ]);
  return {
    ...settings,
    listeners: `${scram},${mutual},${controller}`,
    'advertised.listeners': `${scram},${mutual}`,
    'listener.security.protocol.map': 'CONTROLLER:SSL,MUTUAL:SSL,SCRAM:SASL_SSL',
    'inter.broker.listener.name': 'MUTUAL',
    ...Object.fromEntries(required),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keys,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': authority,
    'ssl.enabled.protocols': 'TLSv1.3',
    // A certificate's common name is the user: host-web-1 has the same rights by either way.
    'ssl.principal.mapping.rules': 'RULE:^CN=([a-z0-9.-]+)$/$1/',
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.scram.scram-sha-512.sasl.jaas.config':
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'allow.everyone.if.no.acl.found': 'false',
    'super.users': `User:broker;User:${admin}`,
  };
}
