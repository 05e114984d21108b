import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { CACHE } from './cache.ts';
import { type Kernel, kernelFiles } from './kernels.ts';

/** The real mkinitramfs with our hook and scripts, on a machine made to look as if installed. */
const ROOT = resolve(import.meta.dirname, '../../..');
const DEPLOYED = join(ROOT, 'deploy/initramfs/initramfs-tools');
const CONF = `MODULES=list
BUSYBOX=auto
KEYMAP=n
COMPRESS=gzip
DEVICE=
NFSROOT=auto
RUNSIZE=10%
FSTYPE=ext4
`;

/** These directories are this process's own from here on, and writable without a trace. */
const SCRIPT = `set -e
mount -t tmpfs none "$1/layers"
for one in usr etc boot; do
	mkdir "$1/layers/$one" "$1/layers/$one.work"
	upper="$1/layers/$one"
	mount -t overlay none -o "lowerdir=/$one,upperdir=$upper,workdir=$upper.work" "/$one"
done
mkdir -p /usr/lib/modules /usr/lib/bpf-warden /etc/warden
cp -r "$2" /usr/lib/modules/
cp "$3" /usr/lib/bpf-warden/warden-load
cp -r "$1/boot" /etc/warden/boot
# Of the kernel's configuration only this is looked at.
echo CONFIG_RD_GZIP=y >"/boot/config-$(basename "$2")"
mkinitramfs -d "$1/conf" -o "$1/initrd" "$(basename "$2")"`;

export interface InitramfsJob {
  readonly kernel: Kernel;
  /** Files of /etc/warden/boot. */
  readonly boot: Readonly<Record<string, string>>;
  /** More files of the configuration of initramfs-tools, such as scripts/init-top/NAME. */
  readonly more: Readonly<Record<string, string>>;
}

function put(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text, { mode: 0o755 });
  }
}

/** Runs `use` with the file of an initramfs, which is gone afterwards. */
export async function withInitramfs<T>(
  { kernel, boot, more }: InitramfsJob,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const { modules } = await kernelFiles(kernel, CACHE, () => undefined);
  const work = mkdtempSync(join(tmpdir(), 'warden-initramfs-'));
  try {
    const conf = join(work, 'conf');
    cpSync(DEPLOYED, conf, { recursive: true });
    put(conf, { 'initramfs.conf': CONF, modules: '', ...more });
    put(join(work, 'boot'), boot);
    mkdirSync(join(work, 'layers'));
    const loader = join(ROOT, 'bpf/build/warden-load');
    const args = ['-m', 'sh', '-c', SCRIPT, basename(import.meta.filename), work, modules, loader];
    execFileSync('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
    return await use(join(work, 'initrd'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
