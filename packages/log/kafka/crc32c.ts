/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, eight bytes at a time. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;
const BYTE = 256;

/** Of 256 entries each: slice k holds the CRC of a byte that k bytes of zero follow. */
const table = new Int32Array(SLICES * BYTE);

for (let n = 0; n < BYTE; n++) {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  table[n] = crc;
}
for (let n = BYTE; n < table.length; n++) {
  const before = table[n - BYTE] as number;
  table[n] = (before >>> 8) ^ (table[before & 0xff] as number);
}

/** Of four bytes, the first one lowest, behind which `slice` bytes follow. */
function fold(word: number, slice: number): number {
  const at = slice * BYTE;
  return (
    (table[at + 3 * BYTE + (word & 0xff)] as number) ^
    (table[at + 2 * BYTE + ((word >>> 8) & 0xff)] as number) ^
    (table[at + BYTE + ((word >>> 16) & 0xff)] as number) ^
    (table[at + (word >>> 24)] as number)
  );
}

/** Of the bytes from `from` up to `to`. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  // Two words at a time: bytes one by one take more than twice as long.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let crc = -1;
  let n = from;
  for (; n + SLICES <= to; n += SLICES) {
    crc = fold(crc ^ view.getInt32(n, true), 4) ^ fold(view.getInt32(n + 4, true), 0);
  }
  for (; n < to; n++) {
    crc = (table[(crc ^ (bytes[n] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
