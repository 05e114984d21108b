const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/**
 * A loader's number in the kernel, 1 to 2^32 - 1: FNV-1a of its name, so that it means the same
 * loader in every policy. `checkMeaning` refuses two names with one number.
 */
export function loaderNumber(name: string): number {
  let hash = OFFSET;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, PRIME);
  return hash >>> 0 || 1;
}

/** The loader's name; null for 0 and for a number that no loader of the list has. */
export function loaderOfNumber(
  number: number,
  loaders: readonly { readonly name: string }[],
): string | null {
  if (number === 0) return null;
  return loaders.find(({ name }) => loaderNumber(name) === number)?.name ?? null;
}
