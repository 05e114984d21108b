import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');

/** A file of the project with its text. `path` is relative to the root. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What a check found: empty where all is well. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

export const show = ({ path, line, what }: Finding): string => `${path}:${line}: ${what}`;

/** Files that git tracks or would track, by how their names end. */
export function projectFiles(...endings: string[]): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const paths = listed.split('\0').filter((path) => endings.some((end) => path.endsWith(end)));
  return paths.flatMap((path) => {
    try {
      return [{ path, text: readFileSync(resolve(ROOT, path), 'utf8') }];
    } catch (error) {
      // Deleted in the work tree, not yet in the index.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
}
