import Table from 'cli-table3';
import type { Command } from 'commander';
import { formatTime, type KnownObject, safeText } from '#event';
import { scanAll } from '#state';
import { displayNames } from './display.ts';
import { configOf, openLog } from './open.ts';

async function list(kind: KnownObject['kind'], options: { json?: boolean; state?: string }) {
  const config = configOf(options);
  const store = await openLog(config);
  const objects: KnownObject[] = [];
  try {
    for await (const { value } of scanAll(store, 'object')) {
      const object = JSON.parse(Buffer.from(value).toString()) as KnownObject;
      if (object.kind === kind) objects.push(object);
    }
  } finally {
    await store.close();
  }
  objects.sort((a, b) => a.id - b.id);
  if (config.json) for (const object of objects) console.log(JSON.stringify(toJson(object)));
  else console.log(table(kind, objects));
}

function toJson(object: KnownObject) {
  const { firstSeenUs, ...rest } = object;
  return { schema: `warden.${object.kind}/1`, ...rest, first_seen: formatTime(firstSeenUs) };
}

function ownerText({ ours, owner, source }: KnownObject, display: (key: string) => string): string {
  if (ours) return 'warden';
  if (owner !== null) return display(owner);
  return source === 'drift' ? 'unseen (drift)' : 'before us';
}

function table(kind: KnownObject['kind'], objects: readonly KnownObject[]): string {
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
export function objectsVerb(program: Command, verb: string, kind: KnownObject['kind']): void {
  const names = { prog: 'programs', map: 'maps', link: 'links' };
  program
    .command(verb)
    .description(`live BPF ${names[kind]}, who made them and when they were first seen`)
    .option('--json', `one object a line, as JSON (schema warden.${kind}/1)`)
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .addHelpText('after', `\nExample:\n  $ ./warden ${verb} --json | jq .owner`)
    .action((options) => list(kind, options));
}
