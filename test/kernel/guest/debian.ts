import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PrivateApt } from './apt.ts';

/**
 * A Debian system for a guest, of packages that are unpacked and never configured: nothing is
 * installed on this machine, and none of its files but Node gets in.
 */
const SUITE = 'trixie';
const PACKAGES = [
  ...['systemd', 'udev', 'libbpf1', 'kmod', 'dbus'],
  ...['bash', 'busybox-static', 'coreutils', 'dash', 'findutils', 'grep', 'login', 'mount'],
  ...['passwd', 'procps', 'sed', 'tar', 'util-linux', 'libpam-modules', 'libpam-runtime'],
  ...['bpftool', 'bpftrace', 'tcpdump', 'iproute2'],
  ...['dhcpcd-base', 'openssh-client', 'openssh-server'],
];

const PASSWD = `alice:x:10001:10001:alice:/home/alice:/bin/bash
bpf-warden:x:990:990::/nonexistent:/usr/sbin/nologin
sshd:x:991:65534::/run/sshd:/usr/sbin/nologin
dhcpcd:x:992:992::/usr/lib/dhcpcd:/usr/sbin/nologin
messagebus:x:993:993::/nonexistent:/usr/sbin/nologin
tcpdump:x:994:994::/nonexistent:/usr/sbin/nologin
`;
const GROUP = `alice:x:10001:
bpf-warden:x:990:
dhcpcd:x:992:
messagebus:x:993:
tcpdump:x:994:
`;

/** What pam-auth-update writes, with the module of logind left out. */
const PAM = {
  'common-auth': 'auth required pam_unix.so\n',
  'common-account': 'account required pam_unix.so\n',
  'common-password': 'password required pam_unix.so\n',
  'common-session': 'session required pam_unix.so\n',
  'common-session-noninteractive': 'session required pam_unix.so\n',
};

/** The job as a unit, once everything else is up. */
const JOB = `[Unit]
Description=The guest's job
After=multi-user.target ssh.service
[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/lib/guest-job
StandardOutput=null
StandardError=null
TimeoutStartSec=infinity
`;

/** Of no use in a guest, and slow in an emulator. */
const MASKED = [
  ...['getty@tty1', 'serial-getty@ttyS0', 'ldconfig', 'systemd-hwdb-update'],
  ...['systemd-firstboot', 'systemd-pcrphase', 'systemd-update-utmp'],
].map((name) => `${name}.service`);

function put(tree: string, path: string, text: string, mode = 0o644): void {
  const target = join(tree, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
  chmodSync(target, mode);
}

function unpackAll(tree: string): void {
  const work = mkdtempSync(join(tmpdir(), 'warden-debian-'));
  try {
    const apt = new PrivateApt(work, [SUITE]);
    apt.update();
    for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
      mkdirSync(join(tree, 'usr', name), { recursive: true });
      symlinkSync(`usr/${name}`, join(tree, name));
    }
    for (const file of apt.fetch(PACKAGES)) {
      const line = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"';
      execFileSync('sh', ['-ec', line, 'sh', file, tree], { stdio: 'pipe' });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function users(tree: string): void {
  for (const [name, more] of Object.entries({ passwd: PASSWD, group: GROUP })) {
    copyFileSync(join(tree, `usr/share/base-passwd/${name}.master`), join(tree, 'etc', name));
    appendFileSync(join(tree, 'etc', name), more);
  }
  put(tree, 'etc/shadow', 'root:*:20000:0:99999:7:::\nalice:*:20000:0:99999:7:::\n', 0o600);
}

/** What the maintainer's scripts would have left, as far as it matters. */
function configure(tree: string): void {
  users(tree);
  for (const [name, text] of Object.entries(PAM)) put(tree, `etc/pam.d/${name}`, text);
  copyFileSync(join(tree, 'usr/share/openssh/sshd_config'), join(tree, 'etc/ssh/sshd_config'));
  put(tree, 'etc/hostname', 'guest\n');
  put(tree, 'etc/hosts', '127.0.0.1 localhost guest\n');
  put(tree, 'etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n');
  put(tree, 'etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  put(tree, 'etc/systemd/system/guest-job.service', JOB);
  const units = join(tree, 'etc/systemd/system');
  const wanted = join(units, 'multi-user.target.wants');
  mkdirSync(wanted, { recursive: true });
  symlinkSync('../guest-job.service', join(wanted, 'guest-job.service'));
  symlinkSync('/usr/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  for (const name of MASKED) symlinkSync('/dev/null', join(units, name));
}

export interface DebianParts {
  readonly modules: readonly string[];
  readonly node: string;
  /** The script that runs the job. */
  readonly job: string;
}

export function fillDebian(tree: string, { modules, node, job }: DebianParts): void {
  unpackAll(tree);
  configure(tree);
  copyFileSync(node, join(tree, 'usr/bin/node'));
  mkdirSync(join(tree, 'usr/local/lib'), { recursive: true });
  copyFileSync(job, join(tree, 'usr/local/lib/guest-job'));
  for (const directory of modules) {
    cpSync(directory, join(tree, 'usr/lib/modules', basename(directory)), { recursive: true });
  }
  for (const name of ['job', 'opt/bpf-warden', 'home/alice', 'usr/local/bin']) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  symlinkSync('/usr/lib/systemd/systemd', join(tree, 'init'));
}
