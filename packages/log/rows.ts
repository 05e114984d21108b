import { crc32 } from 'node:zlib';

/**
 * A row as node:sqlite gives it, by column number. Its types are what the file says: not trusted.
 */
export type Row = readonly unknown[];

/**
 * CRC-32 of a row, kept in the row: SQLite has no checksum of its own, and would hand out a flipped
 * bit as truth. Any single-bit error is found. Against people there are MACs; this is against
 * disks.
 */
export function rowCrc(fields: string, value?: Uint8Array): number {
  const crc = crc32(fields);
  return value === undefined ? crc : crc32(value, crc);
}

const ESCAPE_BASE = 0xe000;

/**
 * A key as it is stored. SQLite compares text as UTF-8 bytes, we promise the order of UTF-16 code
 * units; they differ from U+D800 on, where UTF-8 also cannot hold lone surrogates. So each such
 * code unit becomes two private-use characters, high byte and low byte, which sort as it does.
 */
export function storedKey(key: string): string {
  if (!/[\ud800-\uffff]/.test(key)) return key;
  return key.replace(/[\ud800-\uffff]/g, (unit) => {
    const code = unit.charCodeAt(0);
    return String.fromCharCode(ESCAPE_BASE + (code >> 8), ESCAPE_BASE + (code & 0xff));
  });
}

/** Inverse of `storedKey`. */
export function keyOfStored(text: string): string {
  if (!/[\ue000-\ue0ff]/.test(text)) return text;
  return text.replace(/[\ue000-\ue0ff]{2}/g, (pair) => {
    const [high, low] = [pair.charCodeAt(0) - ESCAPE_BASE, pair.charCodeAt(1) - ESCAPE_BASE];
    return String.fromCharCode((high << 8) | low);
  });
}
