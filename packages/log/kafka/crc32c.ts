/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78, eight bytes at a time. */
const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** Table k holds the CRC of a byte that k bytes of zero follow. */
const tables: readonly Int32Array[] = Array.from({ length: SLICES }, () => new Int32Array(256));
const [T0, T1, T2, T3, T4, T5, T6, T7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

for (let n = 0; n < 256; n++) {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
  T0[n] = crc;
}
for (let slice = 1; slice < SLICES; slice++) {
  const [before, here] = [tables[slice - 1] as Int32Array, tables[slice] as Int32Array];
  for (let n = 0; n < 256; n++) {
    const crc = before[n] as number;
    here[n] = (crc >>> 8) ^ (T0[crc & 0xff] as number);
  }
}

/** Of the bytes from `from` up to `to`. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  // The compiler knows the tables' length; indexes of a byte are never outside.
  const at = (table: Int32Array, index: number) => table[index & 0xff] as number;
  const byte = (index: number) => bytes[index] as number;
  let crc = -1;
  let n = from;
  for (; n + SLICES <= to; n += SLICES) {
    crc ^= byte(n) | (byte(n + 1) << 8) | (byte(n + 2) << 16) | (byte(n + 3) << 24);
    crc =
      at(T7, crc) ^
      at(T6, crc >>> 8) ^
      at(T5, crc >>> 16) ^
      at(T4, crc >>> 24) ^
      at(T3, byte(n + 4)) ^
      at(T2, byte(n + 5)) ^
      at(T1, byte(n + 6)) ^
      at(T0, byte(n + 7));
  }
  for (; n < to; n++) crc = at(T0, crc ^ byte(n)) ^ (crc >>> 8);
  return ~crc >>> 0;
}
