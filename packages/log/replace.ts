import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Where a file of a package lies; null in a bundle, in which files have no names any more. */
function pathOf(file: string): string | null {
  try {
    return require.resolve(file);
  } catch {
    return null;
  }
}

/**
 * From here on whoever requires this file of a package gets `exports`. Who has it already keeps
 * what they have; in a bundle everybody gets the package's own: slower, with the same result.
 */
export function replaceFile(file: string, exports: unknown): void {
  const path = pathOf(file);
  if (path === null) return;
  const known = require.cache[path];
  if (known !== undefined) known.exports = exports;
  else require.cache[path] = { id: path, filename: path, loaded: true, exports } as NodeJS.Module;
}
