const EMPTY = 0xc15d213aa4d7a795n;

const table: readonly bigint[] = Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (value & 1n ? EMPTY : 0n);
  return value;
});

/** CRC-64-AVRO of a schema's parsing canonical form (Avro 1.12, Schema Fingerprints). */
export function crc64Avro(bytes: Uint8Array): bigint {
  let crc = EMPTY;
  for (const byte of bytes) {
    crc = (crc >> 8n) ^ (table[Number(crc & 0xffn) ^ byte] as bigint);
  }
  return crc;
}
