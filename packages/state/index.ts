export { setAside } from '#log';
export { MAX_CHANGES, MAX_ENTRIES, MAX_POSITIONS } from './limits.ts';
export { openMemoryStore } from './memory.ts';
export type {
  Commit,
  Committed,
  Entry,
  FoldStore,
  Position,
  Rejected,
  Snapshot,
  Space,
  StateChange,
  Store,
} from './port.ts';
export { Recent } from './recent.ts';
export { scanAll } from './scan.ts';
export { openSqliteStore, type SqliteStoreOptions } from './sqlite.ts';
