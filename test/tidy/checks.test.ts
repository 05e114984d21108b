import assert from 'node:assert/strict';
import test from 'node:test';
import { areaOf, deadFiles, forbiddenImports, impureCalls, targetOf } from './checks/imports.ts';
import { longCFunctions, longFile, longFunctions, longLines } from './checks/size.ts';
import { headings, links, marks, registryHosts } from './checks/text.ts';

const file = (path: string, text: string) => ({ path, text });

test('a long line is found, a long word is not', () => {
  assert.equal(longLines(file('a.ts', `const x = 1; ${'y'.repeat(100)}`)).length, 1);
  assert.equal(longLines(file('a.ts', 'y'.repeat(140))).length, 0);
  assert.equal(longLines(file('a.c', `\t\t\t${'y '.repeat(39)}`)).length, 1);
});

test('a long file is found', () => {
  assert.equal(longFile(file('a.ts', 'x\n'.repeat(401))).length, 1);
  assert.equal(longFile(file('a.ts', 'x\n'.repeat(400))).length, 0);
});

test('a long function is found, typed or not, arrow or method', () => {
  const body = 'f();\n'.repeat(70);
  assert.equal(longFunctions(file('a.ts', `function g(x: number): void {\n${body}}`)).length, 1);
  assert.equal(longFunctions(file('a.ts', `class A {\n m(): void {\n${body}}\n}`)).length, 1);
  assert.equal(longFunctions(file('a.ts', `const h = (): void => {\n${body}};`)).length, 1);
  assert.equal(longFunctions(file('a.ts', `function g(): void {\nf();\n}\n${body}`)).length, 0);
});

test('a long C function is found', () => {
  assert.equal(
    longCFunctions(file('a.c', `int f(void)\n{\n${'\tg();\n'.repeat(70)}}\n`)).length,
    1,
  );
  assert.equal(longCFunctions(file('a.c', 'int f(void)\n{\n\tg();\n}\n')).length, 0);
});

test('imports outside the table are found', () => {
  const from = (path: string, specifier: string) =>
    forbiddenImports(file(path, `import { a } from '${specifier}';`)).length;
  assert.equal(from('packages/event/x.ts', '#log'), 1);
  assert.equal(from('packages/fold/x.ts', '#log'), 0);
  assert.equal(from('services/collector/x.ts', '../enricher/y.ts'), 1);
  assert.equal(from('services/enricher/x.ts', '#bpf'), 1);
  assert.equal(from('cli/tail.ts', '../services/collector/index.ts'), 1);
  assert.equal(from('cli/up.ts', '../services/collector/index.ts'), 0);
  assert.equal(from('cli/tail.ts', 'node:sqlite'), 1);
  assert.equal(from('packages/trust/x.ts', 'node:fs'), 1);
  assert.equal(from('packages/log/sqlite.ts', 'node:sqlite'), 0);
});

test('a clock in a pure package is found', () => {
  assert.equal(impureCalls(file('packages/fold/x.ts', 'const t = Date.now();')).length, 1);
  assert.equal(impureCalls(file('packages/fold/x.ts', '// Date.now() is not for us')).length, 0);
  assert.equal(impureCalls(file('packages/log/x.ts', 'const t = Date.now();')).length, 0);
});

test('dead files are found', () => {
  const files = [
    file('cli/main.ts', "import './a.ts';\nnew URL('./w.ts', import.meta.url)"),
    file('cli/a.ts', ''),
    file('cli/w.ts', ''),
    file('cli/dead.ts', ''),
  ];
  assert.deepEqual(
    deadFiles(files, ['cli/main.ts']).map(({ path }) => path),
    ['cli/dead.ts'],
  );
});

test('paths and areas', () => {
  assert.equal(targetOf('packages/log/a.ts', '#event'), 'packages/event/index.ts');
  assert.equal(targetOf('cli/shared/a.ts', '../up.ts'), 'cli/up.ts');
  assert.equal(targetOf('cli/a.ts', 'yaml'), null);
  assert.equal(areaOf('services/collector/a.ts'), 'services/collector');
});

test('pages: headings, links, marks, hosts', () => {
  assert.equal(headings(file('a.md', '# one\n\n```\n# not one\n```\n')).length, 0);
  assert.equal(headings(file('a.md', '# one\n# two\n')).length, 1);
  assert.equal(headings(file('a.md', 'none')).length, 1);
  assert.deepEqual(links(file('a.md', '[a](b.md) [c](https://x.y) [d](e.md#f)')), ['b.md', 'e.md']);
  assert.equal(marks(file('a.ts', `// ${'TO'}DO later`)).length, 1);
  assert.equal(registryHosts(file('a.ts', `https://registry.${'npmjs'}.org/x`)).length, 1);
});
