import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Difference, Measures, Report } from '#backtest';
import { MICRO } from '#event';
import { TIER_NAMES } from '#trust';
import type { Point } from './curve.ts';

/** A principal's trust under both policies. */
export interface Curves {
  readonly principal: string;
  readonly before: readonly Point[];
  readonly after: readonly Point[];
}

export interface PageOptions {
  readonly report: Report;
  readonly curves: readonly Curves[];
  /** Rows of the table of measures: label, baseline, candidate. */
  readonly measures: readonly (readonly [string, string, string])[];
  /** Names of the two policies. */
  readonly names: readonly [string, string];
}

const ROWS_MAX = 200;
const COLORS = ['#7a1f1f', '#c1440e', '#d9a521', '#5b8c5a', '#2f5d8a'];

const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;

/** A plot as SVG text: drawn here, so that the page needs no script. */
function drawn(options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const plot = Plot.plot({ width: 640, document: document as never, ...options });
  return (plot as unknown as { readonly outerHTML: string }).outerHTML;
}

function crowdPlot({ crowd }: Measures): string {
  const rows = crowd.flatMap(({ timeMs, tiers }) =>
    tiers.map((count, tier) => ({ time: new Date(timeMs), count, tier: TIER_NAMES[tier as 0] })),
  );
  return drawn({
    height: 220,
    color: { domain: [...TIER_NAMES], range: COLORS },
    marks: [Plot.areaY(rows, { x: 'time', y: 'count', fill: 'tier', order: [...TIER_NAMES] })],
  });
}

function curvePlot({ before, after }: Curves): string {
  const rows = (points: readonly Point[], policy: string) =>
    points
      .filter(({ trust }) => trust !== null)
      .map(({ timeMs, trust }) => ({
        time: new Date(timeMs),
        trust: (trust ?? 0) / MICRO,
        policy,
      }));
  return drawn({
    height: 180,
    y: { domain: [0, 100] },
    color: { domain: ['baseline', 'candidate'], range: ['#888888', '#2f5d8a'] },
    marks: [
      Plot.ruleY([15, 35, 55, 75], { stroke: '#bbbbbb', strokeDasharray: '2,4' }),
      Plot.lineY([...rows(before, 'baseline'), ...rows(after, 'candidate')], {
        x: 'time',
        y: 'trust',
        stroke: 'policy',
        curve: 'step-after',
      }),
    ],
  });
}

function hoursPlot({ marginal, candidate }: Report): string {
  const rows = marginal.map(({ signal, restrictedHoursPerWeek }) => ({
    signal: `without ${signal}`,
    hours: restrictedHoursPerWeek,
  }));
  return drawn({
    height: 40 + rows.length * 22,
    marginLeft: 90,
    marks: [
      Plot.barX(rows, { x: 'hours', y: 'signal', fill: '#2f5d8a' }),
      Plot.ruleX([candidate.restrictedHoursPerWeek], { stroke: '#c1440e' }),
    ],
  });
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
};

function differenceTable(differences: readonly Difference[]): string {
  const head = ['who', 'from', 'minutes', 'was', 'would be', 'refused', 'cause'];
  const rows = differences.slice(0, ROWS_MAX).map((one) => {
    const acts = `+${one.newlyRefused} -${one.noLongerRefused}`;
    const { principal, fromMs, minutes, before, after, cause } = one;
    return [principal, minute(fromMs), minutes.toFixed(0), before, after, acts, cause || '-'];
  });
  const more = differences.length - rows.length;
  return `${table(head, rows)}${more > 0 ? `<p>and ${more} more: --json has all</p>` : ''}`;
}

const STYLE = `:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: Canvas; color: CanvasText; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }`;

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

function key(): string {
  const spans = TIER_NAMES.map(
    (name, tier) => `<span style="background:${COLORS[tier]}"></span>${name}`,
  );
  return `<p class="key">${spans.join('')}</p>`;
}

/** One file without scripts or anything to fetch: what a back-test found. */
export function backtestPage({ report, curves, measures, names }: PageOptions): string {
  const { window, principals, records, labels, baseline, candidate, differences } = report;
  const figure = (svg: string, text: string) =>
    `<figure>${svg}<figcaption>${escapeText(text)}</figcaption></figure>`;
  const sections = [
    '<h1>Back-test</h1>',
    `<p>${minute(window.fromMs)} to ${minute(window.toMs)}: ${principals} principals, ` +
      `${records} records, ${labels} labels.</p>`,
    table(['', `baseline: ${names[0]}`, `candidate: ${names[1]}`], measures),
    '<h2>How many stood at each tier</h2>',
    key(),
    figure(crowdPlot(baseline), 'as the baseline has it'),
    figure(crowdPlot(candidate), 'as the candidate would have it'),
    '<h2>What each signal is worth</h2>',
    figure(hoursPlot(report), 'restricted hours a week without it; the line: with all'),
    '<h2>Those who would differ most</h2>',
    ...curves.map((one) => figure(curvePlot(one), `${one.principal}: baseline grey`)),
    '<h2>Who would have stood elsewhere</h2>',
    differences.length === 0 ? '<p>Nobody, at any time.</p>' : differenceTable(differences),
  ];
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>Back-test</title><style>${STYLE}</style></head><body>${sections.join('\n')}` +
    '</body></html>\n'
  );
}
