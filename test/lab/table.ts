import { isWrong } from './judge.ts';
import { type Row, SETTINGS } from './types.ts';

const COLUMNS = ['attack', 'family', 'kernel', ...SETTINGS, 'event'] as const;

function line(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join('  ')
    .trimEnd();
}

/** Rows of one attack on one kernel as one line; `!` marks what must not stand. */
export function table(rows: readonly Row[]): string {
  const groups = Map.groupBy(rows, ({ attack, kernel }) => `${attack} ${kernel}`);
  const lines = [...groups.values()].map((group) => {
    const [first] = group as [Row];
    const results = SETTINGS.map((setting) => {
      const row = group.find((one) => one.setting === setting);
      return row === undefined ? '-' : `${row.got}${isWrong(row) ? ' !' : ''}`;
    });
    const event = group.findLast((one) => one.event !== null)?.event ?? '-';
    return [first.attack, first.family, first.kernel, ...results, event];
  });
  const widths = COLUMNS.map((title, i) =>
    Math.max(title.length, ...lines.map((cells) => (cells[i] ?? '').length)),
  );
  return [[...COLUMNS], ...lines].map((cells) => line(cells, widths)).join('\n');
}
