import { displayNames } from './display.ts';
import { CliError, EXIT } from './exit.ts';

/**
 * The key that a person means: a key as it is, a name as this machine shows it, or a key without
 * its `@…` where only one fits. Throws `CliError` when several do, returns `wanted` when none does.
 */
export function findPrincipal(
  wanted: string,
  known: readonly { readonly principal: string }[],
): string {
  const keys = known.map(({ principal }) => principal);
  if (keys.includes(wanted)) return wanted;
  const display = displayNames();
  const fits = keys.filter((key) => display(key) === wanted || key.split('@')[0] === wanted);
  if (fits.length > 1) {
    throw new CliError(EXIT.usage, `${wanted} may be ${fits.slice(0, 5).join(' or ')}: name one`);
  }
  return fits[0] ?? wanted;
}
