import { Host, Subject } from './layout.ts';
import { PinnedMap, READ_ONLY, ReflexesMap, SubjectsMap } from './maps.ts';
import { native } from './native.ts';

/** The ceiling of a host whose root has lost all trust: a tier by number, and what set it. */
export interface HostCeiling {
  readonly tier: number;
  readonly revision: bigint;
}

const KEY = new Uint8Array(4);

export class HostMap extends PinnedMap {
  constructor(path: string) {
    super(path, 0);
  }

  read(): HostCeiling | null {
    const bytes = new Uint8Array(Host.size);
    this.tried('read', () => native().mapLookup(this.fd, KEY, bytes));
    const view = new DataView(bytes.buffer);
    const ceiling = view.getUint32(Host.offset.ceiling, true);
    if (ceiling === 0) return null;
    return { tier: ceiling - 1, revision: view.getBigUint64(Host.offset.revision, true) };
  }

  set(ceiling: HostCeiling | null): void {
    const bytes = new Uint8Array(Host.size);
    const view = new DataView(bytes.buffer);
    view.setUint32(Host.offset.ceiling, ceiling === null ? 0 : ceiling.tier + 1, true);
    view.setBigUint64(Host.offset.revision, ceiling?.revision ?? 0n, true);
    this.tried('update', () => native().mapUpdate(this.fd, KEY, bytes, 0));
  }
}

/** Subjects that had CAP_SYS_ADMIN here when they acted. */
export class AdminsMap extends PinnedMap {
  constructor(path: string) {
    super(path, READ_ONLY);
  }

  read(): { readonly kind: number; readonly id: number }[] {
    const { keys, count } = this.all(Subject.size, 8);
    const view = new DataView(keys.buffer);
    return Array.from({ length: count }, (_, i) => ({
      kind: view.getUint32(i * Subject.size + Subject.offset.kind, true),
      id: view.getUint32(i * Subject.size + Subject.offset.id, true),
    }));
  }
}

/** Where the maps of an enforcer are pinned. */
export type EnforcerPins = Readonly<Record<'subjects' | 'reflexes' | 'host' | 'admins', string>>;

/** What an enforcer reads and writes in the kernel. */
export class EnforcerMaps {
  readonly subjects: SubjectsMap;
  readonly reflexes: ReflexesMap;
  readonly host: HostMap;
  readonly admins: AdminsMap;

  constructor(pins: EnforcerPins) {
    this.subjects = new SubjectsMap(pins.subjects);
    this.reflexes = new ReflexesMap(pins.reflexes);
    this.host = new HostMap(pins.host);
    this.admins = new AdminsMap(pins.admins);
  }

  close(): void {
    for (const map of [this.subjects, this.reflexes, this.host, this.admins]) map.close();
  }
}

/** As warden-load pins them in `directory`. */
export function pinsIn(directory: string): EnforcerPins {
  const at = (name: string) => `${directory}/${name}`;
  return {
    subjects: at('subjects'),
    reflexes: at('reflexes'),
    host: at('host'),
    admins: at('admins'),
  };
}
