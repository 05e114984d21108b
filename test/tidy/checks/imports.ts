import { dirname, join, normalize } from 'node:path';
import type { Finding, SourceFile } from './files.ts';

/** One import of a file: the area of the tree it reaches, or the module it names. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
}

const IMPORT = /(?:\bfrom\s+|\bimport\s+|\bimport\(|new URL\(\s*)'([^']+)'/g;

export function importsOf({ text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    specifier: match[1] as string,
    line: text.slice(0, match.index).split('\n').length,
  }));
}

/** The path within the project that an import means, null for packages of others. */
export function targetOf(path: string, specifier: string): string | null {
  if (specifier === '#bpf') return 'bpf/src/index.ts';
  if (specifier.startsWith('#')) return `packages/${specifier.slice(1)}/index.ts`;
  if (!specifier.startsWith('.')) return null;
  return normalize(join(dirname(path), specifier));
}

/** `packages/event`, `services/collector`, `bpf`, `cli`, `test`. */
export function areaOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'packages' || first === 'services' ? `${first}/${second}` : first;
}

const PURE = [
  'packages/backtest',
  'packages/chain',
  'packages/trust',
  'packages/policy',
  'packages/fold',
];

/** The import table of ARCHITECTURE.md. An area may always import itself. */
export const TABLE: Readonly<Record<string, readonly string[]>> = {
  'packages/event': [],
  'packages/chain': ['packages/event'],
  'packages/trust': ['packages/event'],
  'packages/policy': ['packages/event', 'packages/trust'],
  'packages/backtest': ['packages/event', 'packages/trust', 'packages/policy'],
  'packages/log': ['packages/event', 'packages/chain', 'packages/telemetry'],
  'packages/state': ['packages/event', 'packages/chain', 'packages/log', 'packages/telemetry'],
  'packages/fold': [
    'packages/event',
    'packages/chain',
    'packages/log',
    'packages/state',
    'packages/trust',
    'packages/policy',
  ],
  'packages/telemetry': [],
  'packages/config': ['packages/event'],
  'packages/testkit': ['packages/*', 'bpf'],
  bpf: ['packages/event'],
  'services/collector': ['packages/*', 'bpf'],
  'services/enforcer': ['packages/*', 'bpf'],
  'services/enricher': ['packages/*'],
  'services/webhook': ['packages/*'],
  cli: ['packages/*'],
};

/** What a few files of an area may do beyond its row. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  'cli/up.ts': ['services/*'],
  'cli/up/loop.ts': ['services/*', 'bpf'],
  'cli/up/said.ts': ['services/*'],
  'cli/fleet/enricher.ts': ['services/*'],
  'cli/fleet/agent.ts': ['services/*', 'bpf'],
  'cli/fleet/witness.ts': ['services/*'],
  'cli/doctor.ts': ['bpf'],
  'cli/lab.ts': ['test'],
};

function allows(patterns: readonly string[], area: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('/*') ? area.startsWith(pattern.slice(0, -1)) : pattern === area,
  );
}

function reachesOut(path: string, area: string, specifier: string): string | null {
  const target = targetOf(path, specifier);
  if (target === null) return null;
  const reached = areaOf(target);
  if (reached === area || target.endsWith('package.json') || reached === 'schemas') return null;
  if (area.startsWith('packages/') && reached === 'packages/testkit') return `${area} → testkit`;
  const allowed = [...(TABLE[area] ?? []), ...(MORE[path] ?? [])];
  return allows(allowed, reached) ? null : `${area} may not import ${reached}`;
}

const STORES = ['node:sqlite', 'kafkajs', 'ioredis'];
const OUTSIDE = /^node:(fs|net|http|https|dgram|child_process|os|worker_threads)/;

function touchesWorld(area: string, specifier: string): string | null {
  const isStore = area === 'packages/log' || area === 'packages/state';
  if (STORES.includes(specifier) && !isStore)
    return `${specifier} belongs in packages/log and state`;
  if (PURE.includes(area) && OUTSIDE.test(specifier)) return `${area} is pure: no ${specifier}`;
  return null;
}

/** Imports against the table. Tests may import anything. */
export function forbiddenImports(file: SourceFile): Finding[] {
  const { path } = file;
  const area = areaOf(path);
  if (area === 'test' || TABLE[area] === undefined) return [];
  return importsOf(file).flatMap(({ specifier, line }) => {
    const what = reachesOut(path, area, specifier) ?? touchesWorld(area, specifier);
    return what === null ? [] : [{ path, line, what }];
  });
}

const CLOCK = /\bDate\.now\(|new Date\(\)|\bMath\.random\(|\bprocess\.env\b|\bperformance\.now\(/;

/** Pure packages take time and chance as arguments. */
export function impureCalls({ path, text }: SourceFile): Finding[] {
  if (!PURE.includes(areaOf(path))) return [];
  return text.split('\n').flatMap((line, index) => {
    const found = CLOCK.exec(line.replace(/^\s*(\*|\/\/).*/, ''));
    return found === null ? [] : [{ path, line: index + 1, what: `${found[0]} in a pure package` }];
  });
}

/** Source files that nothing reaches from the entries. */
export function deadFiles(files: readonly SourceFile[], entries: readonly string[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const { specifier } of importsOf(file)) {
      const target = targetOf(path, specifier);
      if (target !== null) queue.push(target);
    }
  }
  return files
    .filter(({ path }) => !reached.has(path))
    .map(({ path }) => ({ path, line: 1, what: 'nothing imports it' }));
}
