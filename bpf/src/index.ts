export {
  AdminsMap,
  EnforcerMaps,
  type EnforcerPins,
  type HostCeiling,
  HostMap,
  pinsIn,
} from './enforcer-maps.ts';
export { BpfError, type BpfErrorCode } from './errors.ts';
export { decodeInventory, type LiveObject, readIterator } from './inventory.ts';
export {
  DecideCase,
  Grant,
  Host,
  LAYOUT_VERSION,
  NO_ID,
  Raise,
  Reflex,
  STRUCTS,
  type Struct,
  Subject,
  SubjectState,
  TierCase,
} from './layout.ts';
export {
  CountersMap,
  type KernelCounter,
  type KernelStats,
  type ReflexEntry,
  ReflexesMap,
  type RingCounts,
  StatsMap,
  type SubjectEntry,
  SubjectsMap,
} from './maps.ts';
export { type Native, native } from './native.ts';
export { decodeRecord, type KernelRaised } from './raised.ts';
export {
  ACT_FLAGS,
  decodeAct,
  decodeCode,
  EXE_PLACES,
  type ExeIdentity,
  FACT_FLAGS,
  type KernelAct,
  type KernelClaim,
  type KernelCode,
  type KernelFacts,
  type KernelObject,
} from './record.ts';
export { Ring, type RingRecord } from './ring.ts';
export { Watch } from './watch.ts';
