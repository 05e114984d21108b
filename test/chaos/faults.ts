/** A fault of the fault table, and the tests that are about it. */
export interface Fault {
  readonly what: string;
  /** Under test/. */
  readonly file: string;
  /** Whether the tests of the file that are about it begin with its number. */
  readonly named?: boolean;
}

const NETWORK = 'chaos/f05-network.test.ts';
const ORDER = 'chaos/f11-order.test.ts';

export const FAULTS: Readonly<Record<string, Fault>> = {
  F01: { what: 'kill -9 of the collector', file: 'kernel/kill.test.ts' },
  F02: { what: 'kill -9 of everybody in the middle', file: 'chaos/f02-exactly-once.test.ts' },
  F03: { what: 'kill -9 of a host and of the enricher', file: 'fleet/host.test.ts' },
  F04: { what: 'kill -9 of a leader, 1 of 3', file: 'chaos/f04-cluster.test.ts' },
  F05: { what: 'all brokers down', file: NETWORK, named: true },
  F06: { what: 'a local log that is full', file: 'chaos/f06-log-full.test.ts' },
  F07: { what: 'a full disk', file: 'kernel/full-disk.test.ts' },
  F08: { what: 'a damaged log', file: 'pipeline/store-flips.test.ts' },
  F09: { what: 'Redis is flushed', file: 'chaos/f09-redis-lost.test.ts', named: true },
  F10: { what: 'Redis is lost, old, or lies', file: 'chaos/f09-redis-lost.test.ts', named: true },
  F11: { what: 'frames twice, and all again', file: ORDER, named: true },
  F12: { what: 'poison', file: 'chaos/f12-poison.test.ts', named: true },
  F13: { what: 'clocks that jump', file: ORDER, named: true },
  F14: { what: 'a ring that overflows', file: 'kernel/loss.test.ts' },
  F16: { what: 'two owners', file: NETWORK, named: true },
  F17: { what: 'a network that is cut or one way', file: NETWORK, named: true },
  F18: { what: 'schemas of a newer product, and back', file: 'chaos/f18-schema.test.ts' },
  F19: { what: 'members that come and go', file: ORDER, named: true },
  F20: { what: 'an enricher that falls behind', file: ORDER, named: true },
  F21: { what: 'hosts that come back at once', file: NETWORK, named: true },
  F28: { what: 'brokers that lost records', file: ORDER, named: true },
  F29: { what: 'forgeries', file: 'chaos/f12-poison.test.ts', named: true },
  F33: { what: 'this version and the one before', file: 'chaos/f33-versions.test.ts' },
};
