import { TIER_NAMES } from '#trust';
import { Judge } from '../judge.ts';
import type { Policy, PolicyLoader } from '../policy.ts';
import { formatKeep, usualKeep } from '../values.ts';
import { type Change, listed, matched } from './change.ts';
import { grantChanges, typesOf } from './grants.ts';

/** What it means that a loader is not in the list. */
const UNKNOWN = {
  agent: 'it acts as the user that it runs as',
  login: 'the login uid that it writes raises S21',
  tool: 'it gets the grant of unknown loaders',
  runtime: 'it gets the grant of unknown loaders',
} as const;

/** A loader with all of its files. */
interface Known extends Omit<PolicyLoader, 'path' | 'sha256' | 'keepMs'> {
  readonly files: readonly string[];
}

function fileText(path: string, sha256: readonly string[], keepMs: number): string {
  const digests = sha256.map((one) => `${one.slice(0, 12)}…`).join(' or ');
  const said = [
    ...(sha256.length === 0 ? [] : [`sha256 ${digests}`]),
    ...(keepMs === usualKeep(sha256) ? [] : [`on_change: ${formatKeep(keepMs)}`]),
  ];
  return said.length === 0 ? path : `${path} (${said.join(', ')})`;
}

function byName({ loaders }: Policy): Known[] {
  const known = new Map<string, Known>();
  for (const { path, sha256, keepMs, ...loader } of loaders) {
    const file = fileText(path, sha256, keepMs);
    const files = [...(known.get(loader.name)?.files ?? []), file];
    known.set(loader.name, { ...loader, files });
  }
  return [...known.values()];
}

const other = (text: string): Change => ({ kind: 'other', text });

function fileChanges({ was, is }: { was: Known; is: Known }): readonly Change[] {
  const gone = was.files.filter((file) => !is.files.includes(file));
  const added = is.files.filter((file) => !was.files.includes(file));
  const name = `loader ${is.name}`;
  return [
    ...(added.length === 0 ? [] : [other(`${name} would also be ${listed(added)}`)]),
    ...(gone.length === 0 ? [] : [other(`${name} would no longer be ${listed(gone)}`)]),
  ];
}

function standingChanges({ was, is }: { was: Known; is: Known }): readonly Change[] {
  const changes: Change[] = [];
  if (was.kind !== is.kind) {
    const acts = is.kind === 'agent' ? 'it answers for itself' : 'who runs it answers';
    changes.push(other(`loader ${is.name}: ${was.kind} to ${is.kind}: ${acts}`));
  }
  if (was.floor !== is.floor) {
    const [from, to] = [TIER_NAMES[was.floor], TIER_NAMES[is.floor]];
    const text = `loader ${is.name}: floor ${from} to ${to}: evidence takes it no lower`;
    changes.push({ kind: 'counts', text });
  }
  if (was.code?.join('\0') !== is.code?.join('\0')) {
    const may = is.code === null ? 'any code' : listed(['its own file', ...is.code]);
    changes.push(other(`loader ${is.name} may map ${may}`));
  }
  return changes;
}

export function loaderChanges(before: Policy, after: Policy): readonly Change[] {
  const was = new Judge(before);
  const is = new Judge(after);
  const modes = [before.mode, after.mode] as const;
  const { gone, added, kept } = matched(byName(before), byName(after));
  return [
    ...gone.map(({ name, kind }) => {
      return other(`loader ${name} (${kind}) would no longer be known: ${UNKNOWN[kind]}`);
    }),
    ...gone.flatMap(({ name }) =>
      grantChanges(`loader ${name}`, [was.grantOf(name), is.grantOf(null)], modes),
    ),
    ...added.map(({ name, kind, files }) => {
      const may = kind === 'agent' ? `, and may load ${typesOf(is.grantOf(name))}` : '';
      return other(`loader ${name} (${kind}) would be known by ${listed(files)}${may}`);
    }),
    ...kept.flatMap((pair) => [
      ...fileChanges(pair),
      ...standingChanges(pair),
      ...grantChanges(
        `loader ${pair.is.name}`,
        [was.grantOf(pair.was.name), is.grantOf(pair.is.name)],
        modes,
      ),
    ]),
    ...grantChanges('unknown loaders', [was.grantOf(null), is.grantOf(null)], modes),
  ];
}
