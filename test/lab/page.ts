import { CATALOGUE } from './catalogue/index.ts';
import { isWrong, kernelOf } from './judge.ts';
import { type Attack, FAMILIES, type Family, type Row, SETTINGS, type Setting } from './types.ts';

/** Where the rows of the last whole run are kept, one object a line. */
export const RESULTS_FILE = 'test/lab/results.generated.json';

const TITLES: Readonly<Record<Family, string>> = {
  hidden: 'Hidden loads',
  control: 'The control plane of a signed program',
  identity: 'Identity',
  guard: 'The guard itself',
  around: 'Ways round bpf(2)',
  theft: 'Theft of data',
  namespaces: 'Namespaces',
};

const INTRO = `\`./warden lab\` boots virtual machines and attacks the guard in them.

| setting | what stands in the way |
|---|---|
| none | nothing |
| signing | 7.2 only: an LSM program that asks for a signature by a key of one sealed keyring |
| observe | bpf-warden, which refuses nothing and records |
| enforce | bpf-warden with \`policy.yaml\`; once more with \`preempt=full\` |

An attack is *refused*, or *reported* when an event tells of it, or *allowed* when nobody knows. It
says itself what it gained: a value that changed, a program that ran, a guard that refuses no more.
Where nothing stands in the way each must succeed, or it shows nothing. **Bold** is weaker than
expected, or a result that shows nothing. An event in brackets is a record like any other.

One attack: \`./warden lab --kernel 6.12 --only map-update-pin\`. With \`--keep DIR\` all that each
guest said is kept. A new one is a function in \`attacks/\` and a row in \`catalogue/\`, which says
what the product promises, not what it does today. To renew this page:
\`./warden lab --out ${RESULTS_FILE}\`, the rows of
\`./warden lab --setting enforce --preempt full --out FILE\` behind them, then
\`setup/node setup/generate.ts\`.
`;

/** The settings, and enforce again on kernels where tasks take the processor from each other. */
const COLUMNS: readonly { readonly setting: Setting; readonly preempt: string | null }[] = [
  ...SETTINGS.map((setting) => ({ setting, preempt: null })),
  { setting: 'enforce', preempt: 'full' },
];

/** One result where all kernels agree, else one for each. */
function resultCell(rows: readonly Row[], { setting, preempt }: (typeof COLUMNS)[number]): string {
  const isHere = (row: Row) => row.setting === setting && kernelOf(row).preempt === preempt;
  const here = rows.filter(isHere);
  const shown = here.map((row) => (isWrong(row) ? `**${row.got}**` : row.got));
  if (here.length === 0) return '–';
  if (new Set(shown).size === 1) return shown[0] ?? '';
  return here.map((row, i) => `${kernelOf(row).version}: ${shown[i]}`).join(', ');
}

function eventCell(rows: readonly Row[]): string {
  const usual = rows.filter((row) => kernelOf(row).preempt === null);
  const told = (setting: Setting) =>
    usual.find((row) => row.setting === setting && row.event !== null)?.event;
  return told('enforce') ?? told('observe') ?? '–';
}

/** Its name, and which kernels there are for it when not all. */
function nameCell({ name, kernels }: Attack): string {
  return kernels === undefined ? `\`${name}\`` : `\`${name}\` (${kernels.join(', ')})`;
}

function rowOf(attack: Attack, all: readonly Row[]): string {
  const rows = all.filter((row) => row.attack === attack.name);
  const results = COLUMNS.map((column) => resultCell(rows, column));
  const expected = attack.expected === 'refused' ? 'refused' : `${attack.expected}: ${attack.why}`;
  const cells = [nameCell(attack), attack.gain, ...results, expected, eventCell(rows)];
  return `| ${cells.join(' | ')} |`;
}

function section(family: Family, rows: readonly Row[]): string {
  const columns = COLUMNS.map(({ setting, preempt }) =>
    preempt === null ? setting : `${setting}, preempt=${preempt}`,
  );
  const head = ['attack', 'gains without a guard', ...columns, 'expected of enforce', 'event'];
  const attacks = CATALOGUE.filter((attack) => attack.family === family);
  return [
    `## ${TITLES[family]}\n`,
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---|').join('')}`,
    ...attacks.map((attack) => rowOf(attack, rows)),
  ].join('\n');
}

function summary(rows: readonly Row[]): string {
  const kernels = [...new Set(rows.map((row) => kernelOf(row).version))];
  const weak = rows.filter((row) => row.setting === 'enforce' && isWrong(row));
  const names = new Set(weak.map(({ attack }) => attack));
  const signed = rows.filter(({ setting }) => setting === 'signing');
  const past = signed.filter(({ got }) => got !== 'refused').length;
  return [
    `${CATALOGUE.length} attacks, ${rows.length} rows on kernels ${kernels.join(', ')}.`,
    signed.length > 0 ? `Signing alone let ${past} of ${signed.length} succeed.` : '',
    `In enforce ${names.size} attacks got further than they should.`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

/** The page of `test/lab` from the rows of a run. */
export function labPage(rows: readonly Row[], notice: (source: string) => string): string {
  const sections = FAMILIES.map((family) => `${section(family, rows)}\n`);
  return [
    '# Attack lab\n',
    `${notice(`${RESULTS_FILE} and the catalogue`)}\n`,
    INTRO,
    `${summary(rows)}\n`,
    ...sections,
  ].join('\n');
}

/** Rows as the verb prints them. */
export function parseRows(text: string): Row[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Row);
}
