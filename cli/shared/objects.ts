import Table from 'cli-table3';
import type { Command } from 'commander';
import { formatTime, safeText } from '#event';
import { displayNames } from './display.ts';
import { configOf, openLog } from './open.ts';

/** A live BPF object as the log remembers it: `services/collector/objects.ts` writes it. */
interface StoredObject {
  readonly kind: 'prog' | 'map' | 'link';
  readonly id: number;
  readonly type: string;
  readonly name: string;
  readonly owner: string | null;
  readonly loader: string | null;
  readonly firstSeenUs: number;
  readonly source: 'act' | 'inventory' | 'drift';
  readonly tag: string | null;
  readonly sha256: string | null;
  readonly program: number | null;
  readonly ours: boolean;
}

const PAGE = 1000;

async function list(kind: StoredObject['kind'], options: { json?: boolean; state?: string }) {
  const config = configOf(options);
  const store = await openLog(config);
  const objects: StoredObject[] = [];
  try {
    let after: { lane: number; key: string } | undefined;
    for (;;) {
      const page = await store.scan('object', { limit: PAGE, ...(after && { after }) });
      for (const { value } of page) {
        const object = JSON.parse(Buffer.from(value).toString()) as StoredObject;
        if (object.kind === kind) objects.push(object);
      }
      after = page.at(-1);
      if (after === undefined) break;
    }
  } finally {
    await store.close();
  }
  objects.sort((a, b) => a.id - b.id);
  if (config.json) for (const object of objects) console.log(JSON.stringify(toJson(object)));
  else console.log(table(kind, objects));
}

function toJson(object: StoredObject) {
  const { firstSeenUs, ...rest } = object;
  return { schema: `warden.${object.kind}/1`, ...rest, first_seen: formatTime(firstSeenUs) };
}

function ownerText(
  { ours, owner, source }: StoredObject,
  display: (key: string) => string,
): string {
  if (ours) return 'warden';
  if (owner !== null) return display(owner);
  return source === 'drift' ? 'unseen (drift)' : 'before us';
}

function table(kind: StoredObject['kind'], objects: readonly StoredObject[]): string {
  if (objects.length === 0) return `no live ${kind}`;
  const display = displayNames();
  const last = kind === 'link' ? 'PROGRAM' : kind === 'prog' ? 'TAG' : '';
  const head = ['ID', 'TYPE', 'NAME', 'OWNER', 'LOADER', 'FIRST SEEN'];
  const rows = new Table({
    head: last === '' ? head : [...head, last],
    style: { head: [], border: [], compact: true },
  });
  for (const object of objects) {
    const cells = [
      String(object.id),
      object.type,
      object.name,
      ownerText(object, display),
      object.loader ?? '-',
      formatTime(object.firstSeenUs).slice(0, 19),
    ];
    if (kind === 'link') cells.push(String(object.program ?? '-'));
    if (kind === 'prog') cells.push(object.tag ?? '-');
    rows.push(cells.map(safeText));
  }
  return rows.toString();
}

/** A verb that lists live objects of one kind: who made them, when they were first seen. */
export function objectsVerb(program: Command, verb: string, kind: StoredObject['kind']): void {
  const names = { prog: 'programs', map: 'maps', link: 'links' };
  program
    .command(verb)
    .description(`live BPF ${names[kind]}, who made them and when they were first seen`)
    .option('--json', `one object a line, as JSON (schema warden.${kind}/1)`)
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', `\nExample:\n  $ ./warden ${verb} --json | jq .owner`)
    .action((options) => list(kind, options));
}
