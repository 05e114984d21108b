export { setAside } from './aside.ts';
export { Database, type DatabaseOptions } from './database.ts';
export { corrupt, LogError, type LogErrorCode, toLogError } from './errors.ts';
export {
  checkInteger,
  checkKey,
  checkOutputs,
  checkSize,
  MAX_COMMIT_BYTES,
  MAX_KEY_LENGTH,
  MAX_OUTPUTS,
  MAX_VALUE_BYTES,
} from './limits.ts';
export { MemoryLog } from './memory.ts';
export {
  DEFAULT_LIMIT,
  type Log,
  type LogRecord,
  type Output,
  type ReadLimit,
  TOPICS,
  type Topic,
  type TopicPartition,
} from './port.ts';
export { type ReadPast, readPast } from './read-past.ts';
export { replaceFile } from './replace.ts';
export { keyOfStored, type Row, rowCrc, storedKey } from './rows.ts';
export { CommitSignal } from './signal.ts';
export { SqliteLog } from './sqlite.ts';
