import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { mirror, PrivateApt } from './apt.ts';
import { contentName, locked } from './cache.ts';

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

export interface KernelFiles {
  readonly image: string;
  /** `lib/modules/VERSION`, with what depmod makes. */
  readonly modules: string;
  readonly version: string;
}

/** Parts of a kernel's modules that scenarios need: network cards, and kfuncs of modules. */
const MODULES = [
  'drivers/net/veth.ko',
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
    const apt = new PrivateApt(join(work, 'apt'), SUITES);
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
  // Another choice of modules is another directory.
  const directory = join(cache, `kernel-${label}-${contentName([], ...MODULES)}`);
  if (!existsSync(directory)) {
    await locked(`${directory}.lock`, () => {
      if (!existsSync(directory)) install(label, directory, say);
    });
  }
  const version = readdirSync(join(directory, 'lib/modules'))[0] as string;
  const modules = join(directory, 'lib/modules', version);
  return { image: join(directory, 'vmlinuz'), modules, version };
}
