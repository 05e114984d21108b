// What the monitor starts an agent's services with, without privileges. JavaScript, because Node
// keeps a compiler for TypeScript in memory once it has met a file that it has not compiled before:
// some 25 MiB for as long as the service runs. So another process meets them, once a version. What
// it compiles lies in NODE_COMPILE_CACHE, the services' own.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILE = '--compile';
const COMPILE_MS = 60_000;

/** Whatever becomes of it, the service then compiles for itself. */
function compileApart(cache) {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const done = join(cache, `compiled-${version}-${process.version}`);
  if (existsSync(done)) return;
  const args = [...process.execArgv, fileURLToPath(import.meta.url), COMPILE];
  spawnSync(process.execPath, args, { stdio: 'ignore', timeout: COMPILE_MS });
  try {
    mkdirSync(cache, { recursive: true });
    writeFileSync(done, '');
  } catch {
    // A disk that is full is said by those who have something to store.
  }
}

const { NODE_COMPILE_CACHE: cache = '' } = process.env;
const isApart = process.argv[2] === COMPILE;
if (!isApart && cache !== '') compileApart(cache);
const { service } = await import('./fleet/service.ts');
if (!isApart) await service();
