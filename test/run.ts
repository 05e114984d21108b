import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

/**
 * Runs groups of tests and counts what happened. A skip needs a reason that stands in
 * EXPECTED_SKIPS; any other fails the run. `--dose full` is the long run of the same tests.
 */
const ROOT = resolve(import.meta.dirname);

/** Groups in the order of `npm test`; `files` at once. `fileSeconds` ends what hangs. */
const GROUPS = [
  { name: 'unit', at: 'unit', files: 2, fileSeconds: 120 },
  { name: 'contract', at: 'contract', files: 2, fileSeconds: 120 },
  { name: 'tidy', at: 'tidy', files: 1, fileSeconds: 360 },
  { name: 'pipeline', at: 'pipeline', files: 1, fileSeconds: 900 },
  { name: 'fleet', at: 'fleet', files: 1, fileSeconds: 900 },
  { name: 'chaos', at: 'chaos', files: 1, fileSeconds: 900 },
  { name: 'kernel', at: 'kernel', files: 1, fileSeconds: 1800 },
  { name: 'guest', at: 'kernel/guest', files: 2, fileSeconds: 7200 },
  { name: 'lab', at: 'lab', files: 1, fileSeconds: 3600 },
] as const;
const FULL_DOSE_TIMES = 30;

/** Reasons for which a test may be skipped, and when. */
const EXPECTED_SKIPS: readonly { readonly reason: RegExp; readonly when: boolean }[] = [
  { reason: /^needs root/, when: process.getuid?.() !== 0 },
  { reason: /^full dose only/, when: process.env.WARDEN_DOSE !== 'full' },
];

interface Count {
  passed: number;
  failed: number;
  skipped: number;
  unexpected: string[];
}

function testFiles(directory: string): string[] {
  const entries = readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true });
  const others = GROUPS.map(({ at }) => at).filter((at) => at.startsWith(`${directory}/`));
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .filter(({ parentPath }) => !others.some((at) => parentPath.startsWith(join(ROOT, at))))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function expected(reason: string): boolean {
  return EXPECTED_SKIPS.some((skip) => skip.when && skip.reason.test(reason));
}

async function runGroup(
  files: string[],
  group: (typeof GROUPS)[number],
  count: Count,
): Promise<void> {
  const times = process.env.WARDEN_DOSE === 'full' ? FULL_DOSE_TIMES : 1;
  const timeout = group.fileSeconds * 1000 * times;
  const stream = run({ files, concurrency: group.files, timeout });
  stream.on('test:pass', ({ name, skip, todo, details }) => {
    if (details.type === 'suite') return;
    if (skip === undefined && todo === undefined) count.passed += 1;
    else {
      count.skipped += 1;
      const reason = typeof skip === 'string' ? skip : '';
      if (!expected(reason)) count.unexpected.push(`${name}: ${reason || 'no reason'}`);
    }
  });
  stream.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') count.failed += 1;
  });
  const output = stream.compose(spec);
  for await (const chunk of output) process.stdout.write(chunk);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dose: { type: 'string', default: 'gate' }, only: { type: 'string' } },
});
process.env.WARDEN_DOSE = values.dose;
const wanted = positionals.length === 0 ? GROUPS.map(({ name }) => name as string) : positionals;
const unknown = wanted.filter((name) => !GROUPS.some((group) => group.name === name));
if (unknown.length > 0) {
  console.error(`no such group: ${unknown.join(', ')}; there are ${GROUPS.map((g) => g.name)}`);
  process.exit(64);
}
const count: Count = { passed: 0, failed: 0, skipped: 0, unexpected: [] };
const started = Date.now();
for (const group of GROUPS.filter(({ name }) => wanted.includes(name))) {
  const files = testFiles(group.at).filter((file) => file.includes(values.only ?? ''));
  if (files.length === 0) continue;
  console.log(`# ${group.name}: ${files.map((file) => relative(ROOT, file)).join(' ')}`);
  await runGroup(files, group, count);
}
for (const skip of count.unexpected) console.log(`unexpected skip: ${skip}`);
console.log(`${((Date.now() - started) / 1000).toFixed(1)} s`);
const failed = count.failed + count.unexpected.length;
console.log(`tests: ${count.passed} passed, ${failed} failed, ${count.skipped} skipped`);
process.exitCode = failed > 0 || count.passed === 0 ? 1 : 0;
