import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** WARDEN_GUEST_MIRROR, else the mirror that this machine uses for Debian itself. */
export function mirror(): string {
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

/** apt with lists, sources and a status of its own, so that the machine's stay as they are. */
export class PrivateApt {
  private readonly options: readonly string[];
  private readonly directory: string;

  constructor(directory: string, suites: readonly string[]) {
    this.directory = directory;
    for (const part of ['lists/partial', 'cache/archives/partial', 'sources']) {
      mkdirSync(join(directory, part), { recursive: true });
    }
    const source = `Types: deb\nURIs: ${mirror()}\nSuites: ${suites.join(' ')}\nComponents: main\n`;
    writeFileSync(
      join(directory, 'sources/debian.sources'),
      `${source}Architectures: amd64\nSigned-By: ${KEYRING}\n`,
    );
    writeFileSync(join(directory, 'status'), '');
    this.options = [
      'Dir::Etc::sourcelist=/dev/null',
      `Dir::Etc::sourceparts=${join(directory, 'sources')}`,
      `Dir::State::lists=${join(directory, 'lists')}`,
      `Dir::State::status=${join(directory, 'status')}`,
      `Dir::Cache=${join(directory, 'cache')}`,
      'APT::Architecture=amd64',
      'APT::Architectures=amd64',
      'APT::Install-Recommends=false',
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

  /** Downloads and unpacks one package, without what it depends on. */
  unpack(name: string, into: string): void {
    this.run('apt-get', 'download', name);
    const file = readdirSync(this.directory).find((one) => one.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt-get download ${name} left no file`);
    execFileSync('dpkg-deb', ['-x', join(this.directory, file), into]);
    rmSync(join(this.directory, file));
  }

  /** Downloads packages with all that they depend on. Returns the files. */
  fetch(names: readonly string[]): string[] {
    this.run('apt-get', '-y', '--download-only', 'install', ...names);
    const archives = join(this.directory, 'cache/archives');
    return listed(archives).filter((path) => path.endsWith('.deb'));
  }
}
