import pc from 'picocolors';

/**
 * Colors of what a person reads: on a terminal, and where FORCE_COLOR asks for them. picocolors by
 * itself also colors what goes into a file or a pipe when CI is set.
 */
function wanted(terminal: boolean): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0';
  return terminal && TERM !== 'dumb';
}

/** For standard output. */
export const colors = pc.createColors(wanted(process.stdout.isTTY === true));

/** For standard error. */
export const warningColors = pc.createColors(wanted(process.stderr.isTTY === true));
