import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ownSchemas, SYSTEM_COMMANDS } from '#event';
import { EXIT } from '../cli/shared/exit.ts';
import { withCoverage } from '../test/lab/coverage.ts';
import { labPage, parseRows, RESULTS_FILE } from '../test/lab/page.ts';
import { COMMANDS } from './event-meanings.ts';
import { metricsPage } from './metrics-page.ts';
import { topicsPage } from './topics-page.ts';

/**
 * Writes the generated pages of docs/reference from what the product itself says: the help texts,
 * the JSON Schema of an event, the Avro schemas; the page of the attack lab; and puts each schema
 * into schemas/history, where it stays. `--check` compares instead, and exits 1 with the name of
 * each page that is not as it would be written.
 */
const ROOT = resolve(import.meta.dirname, '..');

/** A generated page; `path` is relative to the root. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function notice(source: string): string {
  return `<!-- Made by setup/generate.ts from ${source}: change those, then run it again. -->`;
}

/** A cell of a table: on one line, and without a bar that would end it. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

const code = (text: string): string => `\`${text}\``;

const HELP = { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } } as const;

async function helpOf(verb: readonly string[]): Promise<string> {
  const node = ['--disable-warning=ExperimentalWarning', join(ROOT, 'cli/main.ts')];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...node, ...verb, '--help'],
    HELP,
  );
  return stdout.trimEnd();
}

/** The verbs that a help text lists, but for `help` itself. */
function verbsIn(help: string): string[] {
  const [, list = ''] = /^Commands:\n((?: +.*\n?)*)/m.exec(help) ?? [];
  const names = [...list.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name as string);
  return names.filter((name) => name !== 'help');
}

/** The help of a verb and of those below it, each under a heading. */
async function sectionsOf(verb: readonly string[]): Promise<string[]> {
  const help = await helpOf(verb);
  const below = await Promise.all(verbsIn(help).map((name) => sectionsOf([...verb, name])));
  const heading = `## ${['warden', ...verb].join(' ')}`;
  return [`${heading}\n\n\`\`\`text\n${help}\n\`\`\``, ...below.flat()];
}

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done; also when the reader of our output ends early',
  findings:
    '`doctor`, `verify`, `host list` or `policy` found something wrong, or more than is allowed',
  usage: 'wrong arguments, or a principal that fits more than one',
  data: 'no such principal, or a log that cannot be read',
  unavailable:
    'no log there, no BTF, not built, already running, no broker that answers, a topic that is ' +
    'missing, or something could not be installed',
  software: 'unexpected; or the services keep dying',
  cannotCreate: 'a directory or the log cannot be made or written',
  temporary:
    'try again: the disk is full or failed, the log is locked, or another has taken over; the ' +
    'monitor starts services again that say so',
  noPermission: 'not root, or not allowed to: by a file or by the brokers',
  config: 'a setting, a key file or the policy cannot be used',
};

function exitCodes(): string {
  const rows = Object.entries(EXIT).map(([name, number]) => {
    return [String(number), EXIT_MEANINGS[name as keyof typeof EXIT]];
  });
  return `## Exit codes\n\n${table(['code', 'meaning'], rows)}`;
}

const CLI_INTRO = `Options that name a variable in capitals can be set by it too; the option wins.
Other variables: [Running it](../operating/running.md#settings). The log is
readable by root and the group \`bpf-warden\`.`;

async function cliPage(): Promise<string> {
  const sections = await sectionsOf([]);
  const title = ['# Command line', notice('the help texts'), CLI_INTRO];
  return `${[...title, ...sections, exitCodes()].join('\n\n')}\n`;
}

// Events

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
}

const values = (allowed: readonly string[]): string => allowed.map(code).join(', ');

function jsonType({ type, const: fixed, enum: allowed, items, ...rest }: JsonSchema): string {
  if (fixed !== undefined) return code(fixed);
  if (allowed !== undefined) return values(allowed);
  const types = typeof type === 'string' ? [type] : (type ?? []);
  const names = types.map((name) => {
    if (name === 'array') return `array of ${items === undefined ? 'anything' : jsonType(items)}`;
    const more = rest.additionalProperties;
    return name === 'object' && typeof more === 'object' ? `object of ${jsonType(more)}` : name;
  });
  return names.join(' or ');
}

const camel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

/** Where a schema's own description is missing or says less than a reader wants. */
const NOTES: Readonly<Record<string, string>> = {
  'loader.path': 'as the kernel shows it at the call; empty when it could not be read',
  'loader.sha256': 'null in modes `audit`, `signal` and `fmod_ret`, which take no digest at exec',
  'loader.device': "the kernel's number: major << 20 | minor",
  'loader.owner_uid': 'who owns the file',
  process: "null in the system's own events",
  'process.uid': 'real uid, in the initial user namespace; so is `euid`',
  'process.auid': 'login uid; null when unset',
  'process.auid_status': '`counts`: a login program wrote it; `claimed`: somebody else did',
  'process.session': 'audit session',
  'process.exe_label':
    '`exec`: the executable was taken at exec; `baseline`: the task was there before us; ' +
    '`call`: read at the call, which grants nothing',
  'process.userns': 'inode number of the user namespace',
  'process.capabilities':
    '`CAP_BPF`, `CAP_SYS_ADMIN` where effective in the initial user namespace',
  'act.via':
    '`bpf`, `bpf_compat` (`int 0x80`), `program` (made by one), `perf_ioctl`, `netlink`, ' +
    "`setsockopt`, `io_uring`, `ioctl`, `syscall` (any other), `warden` (the system's own events)",
  'act.result': 'as the caller saw it, -1 for any error; null when unknown',
  'act.errno': 'name of the error; null where there was none',
  'act.count': 'more than 1: this many calls since the last event of the same kind',
  'program.license': '`GPL-compatible` or `not GPL-compatible`; null when it did not load',
  'program.signature': 'always `unknown` in modes `audit` and `signal`',
  'program.sha256': 'of the instructions, where the kernel gives it',
  'program.attach': 'always null in modes `audit` and `signal`',
  'program.helpers': 'always empty in modes `audit` and `signal`; so are `kfuncs` and `maps`',
  'map.owner': 'as `program.owner`',
  'map.claimed': 'as `program.claimed`',
  'link.program': "the program's id",
  'link.owner': 'as `program.owner`',
  'link.claimed': 'as `program.claimed`',
  'verdict.decision':
    'in mode `audit` never `deny`; in mode `signal` only where the maker of a load was killed',
  'verdict.rule': 'what decided, such as `tiers.restricted.commands`; null when allowed',
  'verdict.enforced':
    'whether the call was really refused; in mode `signal`: whether no program came of the load',
  'verdict.mode': '`signal` only on request',
  'trust.before': 'points; so is `after`',
  'trust.tier': 'after the event',
  'trust.signals': 'that this event raised: see [Trust](../concepts/trust.md)',
};

/** Rows of an object's fields, nested ones by their dotted names. */
function jsonRows(schema: JsonSchema, docs: ReadonlyMap<string, string>, prefix = ''): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix + name;
    const described = NOTES[path] ?? field.description ?? docs.get(camel(path)) ?? '';
    return [[code(path), jsonType(field), described], ...jsonRows(field, docs, `${path}.`)];
  });
}

interface AvroRecord {
  readonly type: string;
  readonly name: string;
  readonly doc?: string;
  readonly size?: number;
  readonly symbols?: readonly string[];
  readonly items?: AvroType;
  readonly fields?: readonly { name: string; type: AvroType; doc?: string }[];
}
type AvroType = string | AvroRecord | readonly AvroType[];

const isUnion = (type: AvroType): type is readonly AvroType[] => Array.isArray(type);

function avroType(type: AvroType): string {
  if (typeof type === 'string') return type === 'Hash' ? '32 bytes' : type;
  if (isUnion(type)) {
    const some = type.filter((one) => one !== 'null').map(avroType);
    return [...some, 'null'].join(' or ');
  }
  if (type.type === 'array') return `array of ${avroType(type.items ?? 'null')}`;
  if (type.type === 'enum') return values(type.symbols ?? []);
  return type.type === 'fixed' ? `${type.size} bytes` : type.type;
}

/** The fields of the record that a type is, may be, or is an array of. */
function fieldsOf(type: AvroType): NonNullable<AvroRecord['fields']> {
  if (typeof type === 'string') return [];
  if (isUnion(type)) return type.flatMap(fieldsOf);
  return type.fields ?? (type.items === undefined ? [] : fieldsOf(type.items));
}

/** Rows of a record's fields, nested ones by their dotted names. */
function avroRows(type: AvroType, prefix = ''): string[][] {
  return fieldsOf(type).flatMap((field) => {
    const path = prefix + field.name;
    const row = [code(path), avroType(field.type), field.doc ?? ''];
    return [row, ...avroRows(field.type, `${path}.`)];
  });
}

/** Docs of the Avro event by dotted field name: the JSON of an event has the same fields. */
function avroDocs(event: AvroRecord): Map<string, string> {
  return new Map(avroRows(event).map(([path = '', , doc = '']) => [path.slice(1, -1), doc]));
}

function commandTable(): string {
  const rows = SYSTEM_COMMANDS.map((command) => {
    const { what, details } = COMMANDS[command];
    return [code(command), what, details];
  });
  return table(['`act.command`', 'what', 'details'], rows);
}

const EVENT = 'event.avsc';

function avroSections(): string[] {
  const files = readdirSync(join(ROOT, 'schemas')).filter((file) => file.endsWith('.avsc'));
  return files.sort().map((file) => {
    const schema = JSON.parse(read(`schemas/${file}`)) as AvroRecord;
    // The event's nested fields are those of its JSON.
    const rows = avroRows(schema).filter(([path]) => file !== EVENT || !path?.includes('.'));
    const fields = table(['field', 'type', 'what'], rows);
    return `### ${schema.name} (${code(file)})\n\n${schema.doc ?? ''}\n\n${fields}`;
  });
}

const EVENTS_INTRO = `\`tail --json\` and \`up --json\` print one event a line. All fields are
always there; \`details\` only in the system's own events. A later version may add fields; changing
or removing one makes \`bpf.enriched/2\`. The JSON Schema is \`schemas/bpf.enriched.schema.json\`.`;

const SYSTEM_INTRO = `What the system says about itself stands in the log like any other event:
under the principal \`host:NAME\`, with \`via\` \`warden\`, without loader and process. Details are
strings.`;

const AVRO_INTRO = `What is stored: Avro in single-object encoding, schemas in \`schemas/\`. Trust
is in micro-points, of which a point has 1,000,000. The event's nested fields are those above,
written \`likeThis\` instead of \`like_this\`.`;

function eventsPage(): string {
  const schema = JSON.parse(read('schemas/bpf.enriched.schema.json')) as JsonSchema;
  const docs = avroDocs(JSON.parse(read(`schemas/${EVENT}`)) as AvroRecord);
  const sources = 'schemas/ and packages/event/event.ts';
  return `${[
    '# Events',
    notice(sources),
    `## Fields\n\n${EVENTS_INTRO}`,
    table(['field', 'type', 'what'], jsonRows(schema, docs)),
    `## The system's own events\n\n${SYSTEM_INTRO}`,
    commandTable(),
    `## Stored records\n\n${AVRO_INTRO}`,
    ...avroSections(),
  ].join('\n\n')}\n`;
}

/** Every generated page as it should be. */
export async function pages(): Promise<Page[]> {
  const rows = parseRows(read(RESULTS_FILE));
  return [
    { path: 'docs/reference/cli.md', text: await cliPage() },
    { path: 'docs/reference/events.md', text: eventsPage() },
    { path: 'docs/reference/metrics.md', text: metricsPage(notice, table) },
    { path: 'docs/reference/topics.md', text: topicsPage(notice, table) },
    { path: 'test/lab/README.md', text: labPage(rows, notice) },
    { path: 'bpf/README.md', text: withCoverage(read('bpf/README.md'), rows) },
    ...ownSchemas().map(({ name, fingerprint, text }) => {
      return { path: `schemas/history/${name}-${fingerprint}.avsc`, text: `${text}\n` };
    }),
  ];
}

/** Paths of those pages whose file is missing or differs. */
export function stalePages(made: readonly Page[]): string[] {
  const found = (path: string): string | null => {
    try {
      return read(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  };
  return made.filter(({ path, text }) => found(path) !== text).map(({ path }) => path);
}

if (import.meta.main) {
  const [option] = process.argv.slice(2);
  if (option === '--check') {
    const stale = stalePages(await pages());
    for (const path of stale) console.error(`${path}: stale: run setup/node setup/generate.ts`);
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else if (option !== undefined) {
    console.error('usage: setup/node setup/generate.ts [--check]');
    process.exitCode = EXIT.usage;
  } else {
    for (const { path, text } of await pages()) writeFileSync(join(ROOT, path), text);
  }
}
