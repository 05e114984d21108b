import type { HostName, Incarnation, Lane } from '#event';
import { sha256, writeSha256 } from './sha256.ts';

export const HASH_BYTES = 32;

/** One chain: the events that a host wrote to one lane in one incarnation. */
export interface Chain {
  readonly host: HostName;
  readonly incarnation: Incarnation;
  readonly lane: Lane;
}

const LINK_TAG = 'bpf-warden/chain/1';
const GENESIS_TAG = 'bpf-warden/genesis/1';

/** tag || u16 length of host || host || incarnation (8 bytes) || u8 lane || room */
function prefix(tag: string, { host, incarnation, lane }: Chain, room = 0): Buffer {
  const name = Buffer.byteLength(host);
  const bytes = Buffer.allocUnsafe(tag.length + 2 + name + 8 + 1 + room);
  let at = bytes.write(tag, 'ascii');
  at = bytes.writeUInt16BE(name, at);
  at += bytes.write(host, at);
  at += bytes.write(incarnation, at, 8, 'hex');
  bytes.writeUInt8(lane, at);
  return bytes;
}

/**
 * Chain hash "before sequence 0": SHA-256 of the ASCII tag `bpf-warden/genesis/1`, length of the
 * host name as u16, host name in UTF-8, incarnation as 8 bytes, lane as u8. Numbers are big-endian.
 */
export function genesis(chain: Chain): Buffer {
  return sha256(prefix(GENESIS_TAG, chain));
}

export type Link = (sequence: number, previous: Uint8Array, event: Uint8Array) => Buffer;

/** `chainHash` of one chain, its constant part laid out once. */
export function linksOf(chain: Chain): Link {
  const room = 8 + 2 * HASH_BYTES;
  const input = prefix(LINK_TAG, chain, room);
  const head = input.length - room;
  return (sequence, previous, event) => {
    input.writeUInt32BE(Math.floor(sequence / 2 ** 32), head);
    input.writeUInt32BE(sequence % 2 ** 32, head + 4);
    input.set(previous, head + 8);
    writeSha256(event, input, head + 8 + HASH_BYTES);
    return sha256(input);
  };
}

/**
 * Chain hash of the event at `sequence`: SHA-256 of
 *
 * | bytes | what |
 * |---|---|
 * | 18 | ASCII `bpf-warden/chain/1` |
 * | 2 | length of the host name, u16 |
 * | 1 to 253 | host name, UTF-8 |
 * | 8 | incarnation |
 * | 1 | lane |
 * | 8 | sequence, u64 |
 * | 32 | `previous`: chain hash at `sequence` - 1, or `genesis` |
 * | 32 | SHA-256 of the event's bytes |
 *
 * Numbers are big-endian. `previous` must have 32 bytes.
 */
export function chainHash(
  options: Chain & {
    readonly sequence: number;
    readonly previous: Uint8Array;
    readonly event: Uint8Array;
  },
): Buffer {
  return linksOf(options)(options.sequence, options.previous, options.event);
}
