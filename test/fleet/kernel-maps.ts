import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type EnforcerPins, Host, Reflex, type Struct, Subject, SubjectState } from '#bpf';

const ENTRIES = 65_536;
const ADMINS = 4096;
/** BPF_F_NO_PREALLOC, as `bpf/lib/maps.h` has it. */
const NO_PREALLOC = 1;

/**
 * The maps of a host that an enforcer needs, in this kernel and with nothing attached to them:
 * what is in them lasts when everybody who opened them is dead.
 */
export class KernelMaps {
  private readonly directory: string;

  /** `hosts`: with a map of subjects for each of so many. */
  constructor(directory: string, hosts = 1) {
    this.directory = directory;
    mkdirSync(directory);
    execFileSync('mount', ['-t', 'bpf', 'none', directory]);
    for (let n = 0; n < hosts; n++) {
      this.create(`subjects-${n}`, SubjectState);
      this.make(`host-${n}`, 'array', { key: 4, value: Host.size, entries: 1, flags: 0 });
    }
    this.create('reflexes', Reflex);
    this.make('admins', 'lru_hash', { key: Subject.size, value: 8, entries: ADMINS, flags: 0 });
  }

  get subjects(): string {
    return this.subjectsOf(0);
  }

  subjectsOf(host: number): string {
    return join(this.directory, `subjects-${host}`);
  }

  pinsOf(host: number): EnforcerPins {
    return {
      subjects: this.subjectsOf(host),
      reflexes: join(this.directory, 'reflexes'),
      host: join(this.directory, `host-${host}`),
      admins: join(this.directory, 'admins'),
    };
  }

  remove(): void {
    execFileSync('umount', [this.directory]);
  }

  private create(name: string, value: Struct): void {
    const sizes = { key: Subject.size, value: value.size, entries: ENTRIES, flags: NO_PREALLOC };
    this.make(name, 'hash', sizes);
  }

  private make(name: string, type: string, sizes: Readonly<Record<string, number>>): void {
    const words = Object.entries(sizes).flatMap(([word, size]) => [word, `${size}`]);
    const rest = ['name', name.split('-')[0] ?? '', ...words];
    const file = join(this.directory, name);
    execFileSync('bpftool', ['map', 'create', file, 'type', type, ...rest]);
  }
}
