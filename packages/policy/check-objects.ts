import type { PolicyFile } from './file.ts';
import { matches, NAME_LISTS } from './names.ts';
import { nearest } from './nearest.ts';
import { loaderNumber } from './number.ts';
import { type Path, shown } from './problem.ts';
import type { Source } from './source.ts';

/** Adopted loaders and directories of a bpffs: names that must exist, and numbers that differ. */
export function checkObjects(source: Source, file: PolicyFile): void {
  const { protect = [], bpffs = [], loaders } = file;
  // Without a list of its own a policy has the built-in one, whose names are not known here.
  const names = loaders?.map(({ name }) => name);
  for (const [i, name] of protect.entries()) checkLoader(source, ['protect', i], name, names);
  for (const [i, { path, owners, expose, helpers = [] }] of bpffs.entries()) {
    const at = ['bpffs', i];
    checkDomainPath(source, [...at, 'path'], path, bpffs.slice(0, i));
    for (const [j, name] of owners.entries()) {
      checkLoader(source, [...at, 'owners', j], name, names);
    }
    for (const [j, name] of (expose?.to ?? []).entries()) {
      checkLoader(source, [...at, 'expose', 'to', j], name, names);
    }
    for (const [j, text] of helpers.entries()) checkHelper(source, [...at, 'helpers', j], text);
  }
}

function checkLoader(
  source: Source,
  at: Path,
  name: string,
  names: readonly string[] | undefined,
): void {
  if (names === undefined || names.includes(name)) return;
  const message = `no loader ${shown(name)}`;
  const expected = 'a name under loaders';
  source.add(at, { code: 'UNKNOWN_NAME', message, expected, nearest: nearest(name, names) });
}

function checkDomainPath(
  source: Source,
  at: Path,
  path: string,
  before: readonly { readonly path: string }[],
): void {
  const steps = path.split('/').slice(1);
  const isClean = steps.every((step) => step !== '' && step !== '.' && step !== '..');
  if (!isClean || /[\0\n\r]/.test(path) || !path.isWellFormed()) {
    const message = `${shown(path)} is not a clean path`;
    const expected = "an absolute path of up to 255 bytes, without '//', '/./' or '/../'";
    source.add(at, { code: 'BAD_VALUE', message, expected });
  }
  const other = before.find((one) => loaderNumber(one.path) === loaderNumber(path));
  if (other === undefined) return;
  const message = `${shown(path)} is the same to the kernel as ${shown(other.path)}`;
  source.add(at, { code: 'DUPLICATE', message });
}

function checkHelper(source: Source, at: Path, text: string): void {
  const { names, what, example } = NAME_LISTS.helpers;
  const pattern = text.startsWith('!') ? text.slice(1) : text;
  if (names.some((name) => matches(pattern, name))) return;
  const message = `no ${what} is called ${shown(pattern)}`;
  const hint = pattern.includes('*') ? null : nearest(pattern, names);
  const expected = `a ${what} such as ${example}`;
  source.add(at, { code: 'UNKNOWN_NAME', message, expected, nearest: hint });
}
