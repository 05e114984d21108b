/** Text in the kernel's records: names and paths, of which nobody promises an encoding. */

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const bufferOf = (bytes: Uint8Array, length = bytes.length) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, length);

/** Bytes up to the first NUL as Latin-1 where they are no UTF-8, so that nothing is lost. */
export function kernelText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end === 0 || bytes.length === 0) return '';
  const text = bufferOf(bytes, end < 0 ? bytes.length : end);
  const utf8 = text.toString('utf8');
  return utf8.includes('\ufffd') ? text.toString('latin1') : utf8;
}

function spell(bytes: Uint8Array): string {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const zero = bytes.indexOf(0, at);
    const end = zero < 0 ? bytes.length : zero;
    if (end > at) names.push(kernelText(bytes.subarray(at, end)));
    at = end + 1;
  }
  return names.length === 0 ? '' : `/${names.reverse().join('/')}`;
}

/** Paths that are remembered: some 2 MiB where all of them are as long as they may be. */
const PATHS_MAX = 1000;
const paths = new Map<string, string>();

/**
 * `"bpftool\0sbin\0usr\0"` as `/usr/sbin/bpftool`; empty for nothing. A process names the same ones
 * with each act: by their bytes they are found again in a tenth of the time.
 */
export function pathOf(bytes: Uint8Array): string {
  const raw = bufferOf(bytes).toString('latin1');
  const known = paths.get(raw);
  if (known !== undefined) return known;
  const path = spell(bytes);
  const [oldest] = paths.size < PATHS_MAX ? [] : paths.keys();
  if (oldest !== undefined) paths.delete(oldest);
  paths.set(raw, path);
  return path;
}
