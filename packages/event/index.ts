export {
  decode,
  decodeTrusted,
  encode,
  HEADER_BYTES,
  learnSchema,
  ownSchemas,
  type Records,
  type SchemaVersion,
  schemaHistory,
  schemaOf,
} from './codec.ts';
export { crc64Avro } from './crc64.ts';
export { EventError, type EventErrorCode } from './errors.ts';
export * from './event.ts';
export { HELPERS } from './helpers.ts';
export type { Checkpoint, Heartbeat, LaneHead } from './host.ts';
export * from './ids.ts';
export { type Display, type EventJson, eventJson, formatTime, MICRO, toJson } from './json.ts';
export {
  ATTACH_TYPES,
  COMMANDS,
  commandName,
  commandNumber,
  errnoName,
  GRANTED_COMMANDS,
  LINK_TYPES,
  MAP_TYPES,
  OWN_COMMANDS,
  PROGRAM_TYPES,
  typeName,
} from './names.ts';
export type { KnownObject, ObjectKind } from './object.ts';
export * from './operator.ts';
export { riskOf } from './risk.ts';
export { safeText } from './text.ts';
export { HOPS, type Hop, isTraced, type TraceIds, traceIds, traceparent } from './trace.ts';
