/**
 * The closed list of what can be wrong with a frame or a chain of frames.
 *
 * | code | kind | meaning |
 * |---|---|---|
 * | BAD_FRAME | malformed | not a frame: its bytes, ids, sizes or counts break the format |
 * | EVENT_SIZE | malformed | an event to seal is empty or above 60 KiB |
 * | BAD_KEY | malformed | a key that is not 32 bytes |
 * | UNKNOWN_HOST_KEY | untrusted | no key is known for the host that the frame names |
 * | BAD_MAC | untrusted | the frame was not made, or not like this, by a holder of the host's key |
 * | BAD_RECORD | malformed | not a checkpoint or a heartbeat, or one that breaks its format |
 * | UNKNOWN_SIGNER | untrusted | no signing key of the host that a record names was valid then |
 * | BAD_SIGNATURE | untrusted | nobody who is known has signed the record like this |
 * | WRONG_HOST | untrusted | a record under another host's name, or signed by another host |
 * | REPLAYED | untrusted | an old record of the host's, sent again |
 * | WRONG_LANE | untrusted | an authentic frame stored under another lane |
 * | SEQUENCE_GAP | broken | events are missing before the frame's first one |
 * | BROKEN_LINK | broken | the frame continues another history than the one seen |
 * | FORK | broken | an id that was seen with another chain hash |
 * | OUT_OF_ORDER | broken | a frame that fills an earlier gap, too late |
 * | TRUNCATED | broken | a lane ends before a head that is known from elsewhere |
 * | DUPLICATE | harmless | a frame that was seen before; it changes nothing |
 *
 * Only UNKNOWN_HOST_KEY and UNKNOWN_SIGNER may go away by themselves (`retriable`): the key can
 * arrive later.
 */
export type ChainErrorCode =
  | 'BAD_FRAME'
  | 'EVENT_SIZE'
  | 'BAD_KEY'
  | 'UNKNOWN_HOST_KEY'
  | 'BAD_MAC'
  | 'BAD_RECORD'
  | 'UNKNOWN_SIGNER'
  | 'BAD_SIGNATURE'
  | 'WRONG_HOST'
  | 'REPLAYED'
  | 'WRONG_LANE'
  | 'SEQUENCE_GAP'
  | 'BROKEN_LINK'
  | 'FORK'
  | 'OUT_OF_ORDER'
  | 'TRUNCATED'
  | 'DUPLICATE';

export type ChainErrorKind = 'malformed' | 'untrusted' | 'broken' | 'harmless';

const KINDS: Readonly<Record<ChainErrorCode, ChainErrorKind>> = {
  BAD_FRAME: 'malformed',
  EVENT_SIZE: 'malformed',
  BAD_KEY: 'malformed',
  UNKNOWN_HOST_KEY: 'untrusted',
  BAD_MAC: 'untrusted',
  BAD_RECORD: 'malformed',
  UNKNOWN_SIGNER: 'untrusted',
  BAD_SIGNATURE: 'untrusted',
  WRONG_HOST: 'untrusted',
  REPLAYED: 'untrusted',
  WRONG_LANE: 'untrusted',
  SEQUENCE_GAP: 'broken',
  BROKEN_LINK: 'broken',
  FORK: 'broken',
  OUT_OF_ORDER: 'broken',
  TRUNCATED: 'broken',
  DUPLICATE: 'harmless',
};

/** What a code is, where there is no error any more. */
export function kindOf(code: ChainErrorCode): ChainErrorKind {
  return KINDS[code];
}

export class ChainError extends Error {
  readonly code: ChainErrorCode;
  readonly kind: ChainErrorKind;
  readonly retriable: boolean;
  /** The first event that does not fit, where that is known. */
  readonly sequence: number | null;

  constructor(
    code: ChainErrorCode,
    message: string,
    options?: ErrorOptions & { sequence?: number },
  ) {
    super(`${code}: ${message}`, options);
    this.name = 'ChainError';
    this.code = code;
    this.kind = KINDS[code];
    this.retriable = code === 'UNKNOWN_HOST_KEY' || code === 'UNKNOWN_SIGNER';
    this.sequence = options?.sequence ?? null;
  }
}
