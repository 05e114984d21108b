import { BpfError } from './errors.ts';
import { Raised, RecordHead, Subject } from './layout.ts';
import { checkHead, decodeAct, type KernelAct, view } from './record.ts';
import { kernelText } from './text.ts';

const RAISED_KIND = 3;

/** What warden-load gave, took back or refused. */
export interface KernelRaised {
  readonly bootNs: bigint;
  /** Of its ring, cumulative. */
  readonly lost: number;
  readonly subject: { readonly kind: number; readonly id: number };
  /** 1 pin, 2 break-glass, 3 observe, 4 the guard, 5 its seal, 6 a loader's file. */
  readonly kind: number;
  /** 1 set, 2 cleared, 3 refused; of the last three kinds see `services/collector/raised.ts`. */
  readonly action: number;
  readonly tier: number;
  readonly commands: bigint;
  readonly untilBootNs: bigint;
  /** ms since 1970, 0 when unknown. */
  readonly issuedMs: number;
  readonly id: string;
  /** The same bytes in hexadecimal: of a loader's file its SHA-256, zero when there is none. */
  readonly idHex: string;
  readonly author: string;
  readonly reason: string;
}

/** Decodes one record of a ring of acts. Throws `BpfError` BAD_RECORD. */
export function decodeRecord(bytes: Uint8Array): { act: KernelAct } | { raised: KernelRaised } {
  if (bytes.length < RecordHead.size) throw new BpfError('BAD_RECORD', `${bytes.length} bytes`);
  const kind = view(bytes).getUint16(RecordHead.offset.kind, true);
  return kind === RAISED_KIND ? { raised: decodeRaised(bytes) } : { act: decodeAct(bytes) };
}

/** Throws `BpfError` BAD_RECORD. */
function decodeRaised(bytes: Uint8Array): KernelRaised {
  const from = view(bytes);
  checkHead(bytes, from, { kind: RAISED_KIND, size: Raised.size });
  const r = Raised.offset;
  const u32 = (field: number) => from.getUint32(field, true);
  const text = (field: number, size: number) => kernelText(bytes.subarray(field, field + size));
  return {
    bootNs: from.getBigUint64(RecordHead.offset.boot_ns, true),
    lost: Number(from.getBigUint64(RecordHead.offset.lost, true)),
    subject: { kind: u32(r.subject + Subject.offset.kind), id: u32(r.subject + Subject.offset.id) },
    kind: u32(r.kind),
    action: u32(r.action),
    tier: u32(r.tier),
    commands: from.getBigUint64(r.commands, true),
    untilBootNs: from.getBigUint64(r.until_boot_ns, true),
    issuedMs: Number(from.getBigUint64(r.issued_ms, true)),
    id: text(r.id, 32),
    idHex: Buffer.from(bytes.subarray(r.id, r.id + 32)).toString('hex'),
    author: text(r.author, 64),
    reason: text(r.reason, 128),
  };
}
