export {
  Checkpoints,
  type CheckpointsOptions,
  type LastCheckpoint,
  type Restart,
  type SignedFinding,
} from './checkpoint.ts';
export { ChainError, type ChainErrorCode, type ChainErrorKind, kindOf } from './errors.ts';
export { type Followed, type FollowedEvent, follow } from './follow.ts';
export { type Chain, chainHash, genesis, HASH_BYTES } from './hash.ts';
export { CLOCKS_APART_MS, Heartbeats, type LastHeartbeat } from './heartbeat.ts';
export { hmacSha256 } from './hmac.ts';
export { deriveHostKey, KEY_BYTES, newHostKey } from './key.ts';
export { MAX_EVENT_BYTES, MAX_FRAME_BYTES, MAX_FRAME_EVENTS } from './limits.ts';
export type { Claim } from './numbers.ts';
export { type ChainedEvent, type KeyOf, type OpenedFrame, openFrame } from './open.ts';
export { frameMac, type Head, MAC_BYTES, sealFrames } from './seal.ts';
export {
  MAX_SIGNED_BYTES,
  openSigned,
  SIGNATURE_BYTES,
  type SignedName,
  type SignersOf,
  type StoredRecord,
  signRecord,
} from './signed.ts';
export {
  chainKey,
  type Finding,
  type KnownHead,
  type Report,
  type StoredFrame,
  Verifier,
  type VerifierOptions,
} from './verify.ts';
