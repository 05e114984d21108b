import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Reflex, type Struct, Subject, SubjectState } from '#bpf';

const ENTRIES = 65_536;
/** BPF_F_NO_PREALLOC, as `bpf/lib/maps.h` has it. */
const NO_PREALLOC = 1;

/**
 * The two maps of a host that an enforcer needs, in this kernel and with nothing attached to them:
 * what is in them lasts when everybody who opened them is dead.
 */
export class KernelMaps {
  private readonly directory: string;

  /** `hosts`: with a map of subjects for each of so many. */
  constructor(directory: string, hosts = 1) {
    this.directory = directory;
    mkdirSync(directory);
    execFileSync('mount', ['-t', 'bpf', 'none', directory]);
    for (let n = 0; n < hosts; n++) this.create(`subjects-${n}`, SubjectState);
    this.create('reflexes', Reflex);
  }

  get subjects(): string {
    return this.subjectsOf(0);
  }

  subjectsOf(host: number): string {
    return join(this.directory, `subjects-${host}`);
  }

  get reflexes(): string {
    return join(this.directory, 'reflexes');
  }

  remove(): void {
    execFileSync('umount', [this.directory]);
  }

  private create(name: string, value: Struct): void {
    const sizes = ['key', `${Subject.size}`, 'value', `${value.size}`, 'entries', `${ENTRIES}`];
    const rest = ['name', name.split('-')[0] ?? '', 'flags', `${NO_PREALLOC}`];
    const file = join(this.directory, name);
    execFileSync('bpftool', ['map', 'create', file, 'type', 'hash', ...sizes, ...rest]);
  }
}
