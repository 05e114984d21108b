import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { locked } from './cache.ts';

/** Kernels of the matrix: Debian's cloud kernels of three releases, the newest of each. */
export const KERNELS = ['6.1', '6.12', '7.2'] as const;
export type Kernel = (typeof KERNELS)[number];

/** Packages by name; the newest version that matches is taken. Sid moves on within 7. */
const PACKAGES: Readonly<Record<Kernel, readonly RegExp[]>> = {
  '6.1': [/^linux-image-6\.1\.[^ ]*-cloud-amd64$/],
  '6.12': [/^linux-image-6\.12\.[^ ]*-cloud-amd64$/],
  '7.2': [/^linux-binary-7\.[^ ]*-cloud-amd64$/, /^linux-modules-7\.[^ ]*-cloud-amd64$/],
};
const SUITES = ['bookworm', 'trixie', 'sid'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** WARDEN_GUEST_MIRROR, else the mirror that this machine uses for Debian itself. */
function mirror(): string {
  const named = process.env.WARDEN_GUEST_MIRROR;
  if (named) return named;
  const files = ['/etc/apt/sources.list', ...listed('/etc/apt/sources.list.d')];
  for (const file of files.filter((one) => existsSync(one))) {
    const found = /^(?:URIs:|deb )\s*(?:\[[^\]]*\]\s*)?(\S+\/debian)\/?(?:\s|$)/m.exec(
      readFileSync(file, 'utf8'),
    );
    if (found !== null) return found[1] as string;
  }
  throw new Error('no Debian mirror in /etc/apt: set WARDEN_GUEST_MIRROR to one of your own');
}

function listed(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => join(directory, name));
}

/** apt with lists and sources of its own, so that the machine's stay as they are. */
class PrivateApt {
  private readonly options: readonly string[];
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    for (const part of ['lists/partial', 'cache/archives/partial', 'sources']) {
      mkdirSync(join(directory, part), { recursive: true });
    }
    const source = `Types: deb\nURIs: ${mirror()}\nSuites: ${SUITES.join(' ')}\nComponents: main\n`;
    writeFileSync(
      join(directory, 'sources/debian.sources'),
      `${source}Architectures: amd64\nSigned-By: ${KEYRING}\n`,
    );
    this.options = [
      'Dir::Etc::sourcelist=/dev/null',
      `Dir::Etc::sourceparts=${join(directory, 'sources')}`,
      `Dir::State::lists=${join(directory, 'lists')}`,
      `Dir::Cache=${join(directory, 'cache')}`,
      'APT::Architecture=amd64',
      'APT::Sandbox::User=root',
    ].flatMap((option) => ['-o', option]);
  }

  private run(program: string, ...args: string[]): string {
    const cwd = this.directory;
    return execFileSync(program, [...this.options, '-q', ...args], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 26,
    });
  }

  update(): void {
    this.run('apt-get', 'update');
  }

  /** The newest package whose name matches: versions stand in the names. */
  newest(pattern: RegExp): string {
    const names = this.run('apt-cache', 'pkgnames', 'linux-')
      .split('\n')
      .filter((name) => pattern.test(name));
    const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
    const name = names.toSorted(byVersion).at(-1);
    if (name === undefined) throw new Error(`${mirror()} has no package ${pattern.source}`);
    return name;
  }

  /** Downloads and unpacks. */
  unpack(name: string, into: string): void {
    this.run('apt-get', 'download', name);
    const file = readdirSync(this.directory).find((one) => one.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt-get download ${name} left no file`);
    execFileSync('dpkg-deb', ['-x', join(this.directory, file), into]);
    rmSync(join(this.directory, file));
  }
}

export interface KernelFiles {
  readonly image: string;
  /** `lib/modules/VERSION`, with what depmod makes. */
  readonly modules: string;
  readonly version: string;
}

/** Parts of a kernel's modules that scenarios need: network cards, and kfuncs of modules. */
const MODULES = [
  'drivers/net/virtio_net.ko',
  'drivers/net/net_failover.ko',
  'drivers/virtio',
  'net/core/failover.ko',
  'net/netfilter/nf_conntrack.ko',
  'net/ipv4/netfilter/nf_defrag_ipv4.ko',
  'net/ipv6/netfilter/nf_defrag_ipv6.ko',
  'net/ipv4/tcp_bbr.ko',
  'lib/libcrc32c.ko',
];

function copyModules(from: string, to: string): void {
  for (const part of MODULES) {
    for (const name of [part, `${part}.xz`, `${part}.zst`]) {
      const source = join(from, 'kernel', name);
      if (existsSync(source)) cpSync(source, join(to, 'kernel', name), { recursive: true });
    }
  }
  // What is compressed, busybox can't load.
  execFileSync(
    'sh',
    ['-c', 'find . -name "*.xz" -exec unxz {} + -o -name "*.zst" -exec unzstd -q --rm {} +'],
    { cwd: to },
  );
}

/** Where a file of this kernel's packages is, in either layout. */
function first(paths: readonly string[]): string {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`none of ${paths.join(', ')}`);
  return found;
}

function install(label: Kernel, directory: string, say: (text: string) => void): void {
  const work = mkdtempSync(`${directory}.`);
  try {
    say(`downloading kernel ${label} from ${mirror()}`);
    const apt = new PrivateApt(join(work, 'apt'));
    apt.update();
    const tree = join(work, 'tree');
    for (const pattern of PACKAGES[label]) apt.unpack(apt.newest(pattern), tree);
    const lib = first([join(tree, 'lib/modules'), join(tree, 'usr/lib/modules')]);
    const version = readdirSync(lib)[0] as string;
    const done = join(work, 'done');
    const modules = join(done, 'lib/modules', version);
    mkdirSync(modules, { recursive: true });
    copyModules(join(lib, version), modules);
    execFileSync('busybox', ['depmod', '-b', done, version]);
    cpSync(
      first([join(tree, 'boot', `vmlinuz-${version}`), join(lib, version, 'vmlinuz')]),
      join(done, 'vmlinuz'),
    );
    renameSync(done, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The kernel's files, downloaded the first time. */
export async function kernelFiles(
  label: Kernel,
  cache: string,
  say: (text: string) => void,
): Promise<KernelFiles> {
  const directory = join(cache, `kernel-${label}`);
  if (!existsSync(directory)) {
    await locked(`${directory}.lock`, () => {
      if (!existsSync(directory)) install(label, directory, say);
    });
  }
  const version = readdirSync(join(directory, 'lib/modules'))[0] as string;
  const modules = join(directory, 'lib/modules', version);
  return { image: join(directory, 'vmlinuz'), modules, version };
}
