import { ChainError } from './errors.ts';
import { genesis } from './hash.ts';
import type { ChainedEvent, OpenedFrame } from './open.ts';
import type { Head } from './seal.ts';

export type FollowedEvent = ChainedEvent;

/** What a reader makes of a frame. */
export interface Followed {
  /** Events with ids not seen before, in order: to be applied. */
  readonly accepted: readonly FollowedEvent[];
  /** Events with ids seen before: they change nothing. */
  readonly duplicates: number;
  /** What does not fit: SEQUENCE_GAP, BROKEN_LINK or FORK. Evidence, to be reported. */
  readonly faults: readonly ChainError[];
  /** Where the reader stands now; the very object given when no event was accepted. */
  readonly head: Head | null;
}

/**
 * Follows a chain by one more frame. `head` is where the reader stood before it, null at first
 * sight.
 *
 * Every authentic event with a new id is accepted, also behind a fault: a reader that stopped at a
 * gap would let one lost frame blind it to all that a lane says from then on. An id seen before is
 * never applied again. At the head, equal ids must have equal hashes, else it is a FORK; below it
 * only the sequence is compared, since a reader keeps no older hashes (`Verifier` does).
 */
export function follow(head: Head | null, frame: OpenedFrame): Followed {
  const known = head ?? { sequence: 0, hash: genesis(frame) };
  const accepted = frame.events.filter(({ sequence }) => sequence >= known.sequence);
  const fault = faultOf(known, frame);
  return {
    accepted,
    duplicates: frame.events.length - accepted.length,
    faults: fault === null ? [] : [fault],
    head: accepted.length === 0 ? head : frame.next,
  };
}

function faultOf(known: Head, frame: OpenedFrame): ChainError | null {
  const { first } = frame;
  const at = known.sequence;
  if (first > at) {
    const message = `${first - at} missing: expected ${at}, found ${first}`;
    return new ChainError('SEQUENCE_GAP', message, { sequence: at });
  }
  const hash = first === at ? frame.previous : frame.events[at - 1 - first]?.hash;
  if (hash === undefined || Buffer.compare(hash, known.hash) === 0) return null;
  if (first === at) {
    const message = at === 0 ? 'does not begin at its genesis' : `does not continue ${at - 1}`;
    return new ChainError('BROKEN_LINK', message, { sequence: at });
  }
  return new ChainError('FORK', `another event ${at - 1}`, { sequence: at - 1 });
}
