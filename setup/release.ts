import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

/**
 * Makes a release: one bundle of the verbs, one of the collector's thread, what they read, the
 * addon, warden-load, Node; and SHA256SUMS, by which warden-load knows all of it. Files keep the
 * places that they have in a checkout, so that the code finds them in the same way.
 */
const ROOT = resolve(import.meta.dirname, '..');
const ENTRIES = {
  'cli/main': 'cli/main.ts',
  'cli/service': 'cli/service.mjs',
  'services/collector/worker': 'services/collector/worker.ts',
} as const;
const FILES = ['package.json', 'bpf/build/warden.node', 'bpf/build/warden-load'];

/** In a bundle every module has the bundle's URL: each is given its own, below the release. */
const ownUrls: Plugin = {
  name: 'own-urls',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const inside = JSON.stringify(relative(ROOT, path));
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', `__dirnameOf(${inside})`)
        .replaceAll('import.meta.url', `__urlOf(${inside})`)
        // What is required by name goes into the bundle as what is imported does.
        .replace(/^const require = createRequire\(.*\);$/m, '')
        .replace("new URL('./worker.ts'", "new URL('./worker.mjs'");
      return { contents, loader: 'ts' };
    });
  },
};

/** `up`: from a bundle's place to the release's root. */
function banner(up: string): string {
  return [
    "import { createRequire as __createRequire } from 'node:module';",
    "import { dirname as __dirname_ } from 'node:path';",
    "import { fileURLToPath as __fileOf } from 'node:url';",
    'const require = __createRequire(import.meta.url);',
    `const __root = new URL('${up}', import.meta.url);`,
    'const __urlOf = (path) => new URL(path, __root).href;',
    'const __dirnameOf = (path) => __dirname_(__fileOf(__urlOf(path)));',
  ].join('\n');
}

async function bundle(into: string): Promise<void> {
  for (const [name, entry] of Object.entries(ENTRIES)) {
    await build({
      entryPoints: [join(ROOT, entry)],
      outfile: join(into, `${name}.mjs`),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      absWorkingDir: ROOT,
      banner: { js: banner('../'.repeat(entry.split('/').length - 1)) },
      plugins: [ownUrls],
      logLevel: 'error',
    });
  }
}

function copy(into: string): void {
  for (const file of FILES) {
    mkdirSync(join(into, file, '..'), { recursive: true });
    copyFileSync(join(ROOT, file), join(into, file));
  }
  cpSync(join(ROOT, 'schemas'), join(into, 'schemas'), { recursive: true });
  copyFileSync(process.execPath, join(into, 'node'));
  const start = '#!/bin/sh\nroot=$(cd "$(dirname "$(readlink -f "$0")")" && pwd -P)\n';
  const node = '"$root/node" --disable-warning=ExperimentalWarning "$root/cli/main.mjs"';
  writeFileSync(join(into, 'warden'), `${start}exec ${node} "$@"\n`);
  for (const program of ['node', 'warden', 'bpf/build/warden-load']) {
    chmodSync(join(into, program), 0o755);
  }
}

/** As sha256sum(1) writes it, sorted by name. Returns the SHA-256 of the list itself. */
function list(into: string): string {
  const names = readdirSync(into, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(into, join(entry.parentPath, entry.name)))
    .sort();
  const digest = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
  const lines = names.map((name) => `${digest(readFileSync(join(into, name)))}  ${name}\n`);
  writeFileSync(join(into, 'SHA256SUMS'), lines.join(''));
  return digest(Buffer.from(lines.join('')));
}

const [target] = process.argv.slice(2);
const isDirectory = target !== undefined && !target.startsWith('-');
if (!isDirectory || (existsSync(target) && readdirSync(target).length > 0)) {
  console.error('release: DIR is missing, or there is something in it: setup/release DIR');
  process.exit(64);
}
const into = resolve(target);
await bundle(into);
copy(into);
console.log(`${list(into)}  ${into}`);
