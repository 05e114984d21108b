import type { Topic } from './port.ts';

/** "WARD": marks the file as ours in its header. */
export const APPLICATION_ID = 0x57415244;
/** Version of the layout below. A change of it comes with a migration. */
export const LAYOUT_VERSION = 2;

export const TABLES: Readonly<Record<Topic, string>> = {
  'bpf.events': 'log_events',
  'bpf.enriched': 'log_enriched',
  'bpf.signals': 'log_signals',
  'bpf.tiers': 'log_tiers',
  'bpf.overrides': 'log_overrides',
  'bpf.external': 'log_external',
  'bpf.policy': 'log_policy',
};

function logTable(name: string): string {
  return `CREATE TABLE ${name} (offset INTEGER PRIMARY KEY, lane INTEGER NOT NULL, \
key TEXT NOT NULL, value BLOB NOT NULL, appended_ms INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT`;
}

/**
 * All tables of a store, also those of packages/state: one file, one transaction. SQLite keeps this
 * text, and it is compared at each open.
 *
 * `topic.next` is the only source of offsets: a table trimmed to nothing would forget its highest
 * one. `topic.bytes` counts the values still there. `snapshot.complete` is 0 while entries are
 * copied; `digest` is the exclusive or of the CRCs of its entries, so that none can go missing
 * unseen.
 */
export const LAYOUT: readonly string[] = [
  `CREATE TABLE topic (name TEXT PRIMARY KEY, start INTEGER NOT NULL, next INTEGER NOT NULL, \
bytes INTEGER NOT NULL, appended_ms INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  ...Object.values(TABLES).map(logTable),
  `CREATE TABLE state (space TEXT NOT NULL, lane INTEGER NOT NULL, key TEXT NOT NULL, \
value BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (space, lane, key)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE position (source TEXT PRIMARY KEY, next INTEGER NOT NULL, crc INTEGER NOT NULL) \
STRICT, WITHOUT ROWID`,
  `CREATE TABLE snapshot (id INTEGER PRIMARY KEY, next INTEGER NOT NULL, \
taken_ms INTEGER NOT NULL, complete INTEGER NOT NULL, entries INTEGER NOT NULL, \
digest INTEGER NOT NULL, crc INTEGER NOT NULL) STRICT`,
  `CREATE TABLE snapshot_entry (snapshot INTEGER NOT NULL, space TEXT NOT NULL, \
lane INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, crc INTEGER NOT NULL, \
PRIMARY KEY (snapshot, space, lane, key)) STRICT, WITHOUT ROWID`,
];

/**
 * Page of the first table's root; the others follow, in order. SQLite places them so in a new file
 * with auto-vacuum (page 2 is its map) and never moves them. A damaged root would make a table look
 * empty.
 */
export const FIRST_ROOT = 3;
