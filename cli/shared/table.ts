import pc from 'picocolors';
import { type EventJson, safeText } from '#event';

/** Columns of the live table: heading, width in a terminal of 120, and how a cell is shown. */
interface Column {
  readonly title: string;
  readonly width: number;
  readonly cell: (event: Row) => string;
}

/** The parts of an event's JSON that the table shows. */
export interface Row {
  readonly time: string;
  readonly display: string;
  readonly loader: { readonly name: string | null; readonly path: string } | null;
  readonly process: { readonly comm: string; readonly pid: number } | null;
  readonly act: {
    readonly command: string;
    readonly result: number | null;
    readonly errno: string | null;
    readonly count: number;
  };
  readonly program: Target | null;
  readonly map: Target | null;
  readonly link: (Target & { readonly program: number | null }) | null;
  readonly path: string | null;
  readonly verdict: { readonly decision: string; readonly rule: string | null };
  readonly trust: EventJson['trust'];
  readonly details?: Readonly<Record<string, string>>;
}

interface Target {
  readonly id: number | null;
  readonly type: string | null;
  readonly name?: string | null;
  readonly claimed: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: 'TIME', width: 12, cell: (row) => row.time.slice(11, 23) },
  { title: 'PRINCIPAL', width: 18, cell: (row) => row.display },
  { title: 'LOADER', width: 18, cell: loaderCell },
  { title: 'ACT', width: 24, cell: actCell },
  { title: 'TARGET', width: 30, cell: targetCell },
  { title: 'RESULT', width: 10, cell: resultCell },
  { title: 'VERDICT', width: 10, cell: (row) => row.verdict.decision },
  { title: 'TRUST', width: 16, cell: trustCell },
];

function loaderCell(row: Row): string {
  if (row.loader === null) return row.process === null ? 'warden' : `(${row.process.comm})`;
  if (row.loader.name !== null) return row.loader.name;
  return row.loader.path === '' ? '?' : (row.loader.path.split('/').at(-1) ?? '?');
}

function actCell({ act }: Row): string {
  return act.count === 1 ? act.command : `${act.command} ×${act.count}`;
}

function targetCell(row: Row): string {
  const target = row.program ?? row.map ?? row.link;
  if (target === null) return systemTarget(row);
  const kind = row.program !== null ? 'prog' : row.map !== null ? 'map' : 'link';
  const id = target.id === null ? '' : ` ${target.id}`;
  const claimed = target.claimed ? '?' : '';
  return `${kind}${id} ${target.type ?? ''} ${target.name ?? ''}`.trimEnd() + claimed;
}

function systemTarget({ path, details }: Row): string {
  if (path !== null) return path;
  if (details === undefined) return '-';
  const { subject, after, ring, count, kind, id, found, incarnation } = details;
  if (incarnation !== undefined) return `incarnation ${incarnation}`;
  if (subject !== undefined) return after === undefined ? subject : `${subject} → ${after}`;
  if (ring !== undefined) return `ring ${ring}: ${found ?? `${count} lost`}`;
  if (kind !== undefined) return `${kind} ${id}`;
  return Object.values(details)[0] ?? '-';
}

function resultCell({ act }: Row): string {
  if (act.errno !== null) return act.errno;
  return act.result === null ? '-' : String(act.result);
}

function trustCell({ trust }: Row): string {
  if (trust === null) return '-';
  const signals = trust.signals.length > 0 ? ` ${trust.signals.join(' ')}` : '';
  return `${Math.floor(trust.after)} ${trust.tier}${signals}`;
}

/** Cuts or pads to `width` characters; what is cut ends in `…`. */
function fit(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text + ' '.repeat(width - characters.length);
  return `${characters.slice(0, width - 1).join('')}…`;
}

const FULL_WIDTH = COLUMNS.reduce((sum, { width }) => sum + width + 1, -1);

/** Target and loader give way first in a narrow terminal. */
function widths(columns: number): number[] {
  const missing = Math.max(0, FULL_WIDTH - columns);
  const target = Math.min(missing, 18);
  const loader = Math.min(missing - target, 8);
  return COLUMNS.map(({ title, width }) => {
    if (title === 'TARGET') return width - target;
    return title === 'LOADER' ? width - loader : width;
  });
}

export interface TableOptions {
  readonly columns: number;
  readonly color: boolean;
}

export function header({ columns, color }: TableOptions): string {
  const sizes = widths(columns);
  const text = COLUMNS.map(({ title }, i) => fit(title, sizes[i] as number)).join(' ');
  return pc.createColors(color).bold(text.trimEnd());
}

/** One line of the live table, with the rule that decided where there is room for it. */
export function line(row: Row, { columns, color }: TableOptions): string {
  const sizes = widths(columns);
  const cells = COLUMNS.map(({ cell }) => safeText(cell(row)));
  const last = cells.length - 1;
  // The last one stands before nothing, so it needs no cut.
  const fitted = cells
    .map((cell, i) => (i === last ? cell : fit(cell, sizes[i] as number)))
    .join(' ');
  const ruled = row.verdict.rule === null ? fitted : `${fitted} (${safeText(row.verdict.rule)})`;
  const text = [...ruled].length <= columns ? ruled : fitted;
  const colors = pc.createColors(color);
  if (row.verdict.decision !== 'allow') return colors.red(text);
  if ((row.trust?.signals.length ?? 0) > 0) return colors.yellow(text);
  return row.process === null ? colors.dim(text) : text;
}
