import { ChainError, type OpenedFrame, openFrame } from '#chain';
import {
  type Control,
  decode,
  type Event,
  EventError,
  type External,
  laneOf,
  type Override,
  type PrincipalKey,
  schemaOf,
} from '#event';
import type { LogRecord } from '#log';
import type { ControlRecord } from '#trust';
import { isAuthentic } from './control.ts';

/** What a control record carries besides a due timer or a policy. */
export type Said =
  | { readonly kind: 'override'; readonly override: Override }
  | { readonly kind: 'external'; readonly external: External };

/** A record of `bpf.events`, opened and authenticated, or what is wrong with it. */
export type Opened =
  | {
      readonly kind: 'frame';
      readonly record: LogRecord;
      readonly frame: OpenedFrame;
      /** The frame's events in order; an error where the bytes are no event. */
      readonly events: readonly (Event | EventError)[];
    }
  | {
      readonly kind: 'control';
      readonly record: LogRecord;
      readonly control: Control;
      readonly said: Said | null;
    }
  | {
      readonly kind: 'bad';
      readonly record: LogRecord;
      readonly code: string;
      readonly why: string;
    };

export interface OpenKeys {
  /** The key that opens a host's frame which the log took in then; null: none. */
  readonly hostKeyOf: (host: string, appendedMs: number) => Uint8Array | null;
  /** The one before it, as long as that opens frames too. */
  readonly olderKeyOf?: (host: string, appendedMs: number) => Uint8Array | null;
  readonly control: Uint8Array;
}

/** Never throws for bad content: the fold goes on and says what it left out. */
export function openRecord(record: LogRecord, keys: OpenKeys): Opened {
  try {
    if (schemaOf(record.value) === 'Control') return openControl(record, keys);
    const frame = openByAny(record, keys);
    const events = frame.events.map(({ bytes }) => readEvent(bytes, frame.lane));
    return { kind: 'frame', record, frame, events };
  } catch (error) {
    if (!(error instanceof ChainError) && !(error instanceof EventError)) throw error;
    return { kind: 'bad', record, code: error.code, why: error.message };
  }
}

/** A host may still send what it sealed before it got its new key. */
export function openByAny(
  { value, appendedMs }: Pick<LogRecord, 'value' | 'appendedMs'>,
  keys: OpenKeys,
): OpenedFrame {
  const { hostKeyOf, olderKeyOf } = keys;
  try {
    return openFrame(value, (host) => hostKeyOf(host, appendedMs));
  } catch (error) {
    if (!(error instanceof ChainError) || olderKeyOf === undefined) throw error;
    if (error.code !== 'BAD_MAC' && error.code !== 'UNKNOWN_HOST_KEY') throw error;
    let hasOlder = false;
    const older = (host: string) => {
      const key = olderKeyOf(host, appendedMs);
      hasOlder = key !== null;
      return key;
    };
    try {
      return openFrame(value, older);
    } catch (second) {
      throw hasOlder ? second : error;
    }
  }
}

/** A record of another partition's lane would be folded by two writers: it is left out. */
export function inLanes(opened: Opened, lanes: ReadonlySet<number> | null): Opened {
  if (lanes === null || opened.kind === 'bad') return opened;
  const { lane } = opened.kind === 'frame' ? opened.frame : opened.control;
  if (lanes.has(lane)) return opened;
  const { record } = opened;
  return { kind: 'bad', record, code: 'WRONG_LANE', why: `lane ${lane} in another's partition` };
}

/** A host could put its words about a principal into a lane where nobody looks for them. */
function readEvent(bytes: Uint8Array, lane: number): Event | EventError {
  try {
    const event = decode('Event', bytes);
    if (laneOf(event.principal) === lane) return event;
    return new EventError('BAD_VALUE', `${event.principal} in lane ${lane}`);
  } catch (error) {
    if (error instanceof EventError) return error;
    throw error;
  }
}

function openControl(record: LogRecord, keys: OpenKeys): Opened {
  const control = decode('Control', record.value);
  if (isAuthentic('Control', record.value, keys.control)) {
    return { kind: 'control', record, control, said: saidOf(control) };
  }
  return { kind: 'bad', record, code: 'BAD_MAC', why: `control record ${control.id}` };
}

/** Throws `EventError` when the control record's body is not what its kind says. */
export function saidOf({ kind, body }: Control): Said | null {
  if (kind === 'override') return { kind, override: decode('Override', body ?? EMPTY) };
  if (kind === 'external') return { kind, external: decode('External', body ?? EMPTY) };
  return null;
}

const EMPTY = new Uint8Array();

/** A control record of one principal as the trust model takes it. */
export function controlRecord(
  { id, kind }: Control,
  said: Said | null,
  { principal, appendedMs }: { principal: PrincipalKey; appendedMs: number },
): ControlRecord {
  const base = { type: 'control', id, principal, appendedMs } as const;
  if (said?.kind === 'override') return { ...base, kind: 'override', override: said.override };
  if (said?.kind === 'external') {
    return { ...base, kind: 'external', permille: said.external.permille };
  }
  return { ...base, kind: kind === 'due' ? 'due' : 'policy' };
}
