/**
 * The closed list of what can be wrong with a record.
 *
 * | code | meaning |
 * |---|---|
 * | BAD_ID | an id or key does not have its form |
 * | NOT_AVRO | no single-object header (C3 01) |
 * | UNKNOWN_SCHEMA | a fingerprint that no schema here has |
 * | TRUNCATED | the bytes end inside a value |
 * | TRAILING_BYTES | bytes after the value |
 * | OVER_LIMIT | a length or count above its limit |
 * | BAD_VALUE | a value outside its type |
 */
export type EventErrorCode =
  | 'BAD_ID'
  | 'NOT_AVRO'
  | 'UNKNOWN_SCHEMA'
  | 'TRUNCATED'
  | 'TRAILING_BYTES'
  | 'OVER_LIMIT'
  | 'BAD_VALUE';

export class EventError extends Error {
  readonly code: EventErrorCode;
  /** No error of this package goes away by itself. */
  readonly retriable = false;

  constructor(code: EventErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.name = 'EventError';
    this.code = code;
  }
}
