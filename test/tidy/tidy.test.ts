import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { type Finding, projectFiles, ROOT, type SourceFile, show } from './checks/files.ts';
import { deadFiles, forbiddenImports, impureCalls } from './checks/imports.ts';
import { longCFunctions, longFile, longFunctions, longLines } from './checks/size.ts';
import { headings, links, marks, registryHosts } from './checks/text.ts';

const typescript = projectFiles('.ts');
const c = projectFiles('.c', '.h');
const pages = projectFiles('.md');
const shell = projectFiles('warden', 'setup/prepare', 'setup/node', 'setup/test', '.ci/run');

function clean(files: readonly SourceFile[], check: (file: SourceFile) => Finding[]): void {
  assert.ok(files.length > 0, 'no file to check');
  assert.deepEqual(files.flatMap(check).map(show), []);
}

/** The file of the checks names what it forbids. */
const outsideChecks = ({ path }: SourceFile) => !path.startsWith('test/tidy/');

test('lines have at most 100 columns', () => clean([...typescript, ...c, ...shell], longLines));
test('files have at most 400 lines', () => clean([...typescript, ...c], longFile));
test('functions have at most 70 lines', () => clean(typescript, longFunctions));
test('C functions have at most 70 lines', () => clean(c, longCFunctions));
test('imports follow the table of ARCHITECTURE.md', () => clean(typescript, forbiddenImports));
test('pure packages read no clock, chance or environment', () => clean(typescript, impureCalls));
test('nothing is left unfinished or hidden from the checker', () =>
  clean(typescript.filter(outsideChecks), marks));
test('pages have one first-level heading', () => clean(pages, headings));

test('no file is dead', () => {
  const entries = typescript
    .map(({ path }) => path)
    .filter((path) =>
      /\.test\.ts$|\/(run|feeder|enforcer)\.ts$|^setup\/release\.ts$|\/guest\/(main|inside\/(guard|blind|watchdog|fleet|sealed|upgrade|early|fmod-ret|day|soak|signed))\.ts$/.test(
        path,
      ),
    );
  const dead = deadFiles(typescript, ['cli/main.ts', 'cli/fleet/service.ts', ...entries]);
  assert.deepEqual(dead.map(show), []);
});

test('links of pages lead somewhere', () => {
  const broken = pages.flatMap((page) =>
    links(page)
      .filter((link) => !existsSync(join(ROOT, dirname(page.path), link)))
      .map((link) => `${page.path}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

test('no file names a registry host, and the lock file no download address', () => {
  const files = projectFiles('.ts', '.json', '.md', '.yml', '.sh', 'setup/prepare', 'warden', '.c');
  clean(files.filter(outsideChecks), registryHosts);
  const [lock] = projectFiles('package-lock.json');
  assert.ok(lock);
  assert.doesNotMatch(lock.text, /"resolved": "https?:/);
});
