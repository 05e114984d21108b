import type { KernelAct, LiveObject } from '#bpf';
import {
  type Event,
  type KnownObject,
  LINK_TYPES,
  MAP_TYPES,
  type Mode,
  type ObjectKind,
  PROGRAM_TYPES,
  type PrincipalKey,
  typeName,
} from '#event';
import { type StateChange, type Store, scanAll } from '#state';
import { systemEvent } from './losses.ts';
import { inventoryKind, OBJECT_KINDS } from './translate.ts';

const TYPE_NAMES: Readonly<Record<ObjectKind, readonly string[]>> = {
  prog: PROGRAM_TYPES,
  map: MAP_TYPES,
  link: LINK_TYPES,
};

/** Commands that make what they return; others return what exists. */
const MAKERS: ReadonlySet<string> = new Set([
  'PROG_LOAD',
  'MAP_CREATE',
  'LINK_CREATE',
  'RAW_TRACEPOINT_OPEN',
]);

const keyOf = (kind: ObjectKind, id: number) => `${kind}/${id}`;

/** Live programs, maps and links: who made them, and when they were first seen. */
export class Objects {
  private readonly known = new Map<string, KnownObject>();
  private readonly touched = new Set<string>();

  static async open(store: Store): Promise<Objects> {
    const objects = new Objects();
    for await (const { key, value } of scanAll(store, 'object')) {
      objects.known.set(key, JSON.parse(Buffer.from(value).toString()) as KnownObject);
    }
    return objects;
  }

  ownerOf = (kind: ObjectKind, id: number): PrincipalKey | null =>
    this.known.get(keyOf(kind, id))?.owner ?? null;

  /** Forgets what an earlier boot's kernel held. */
  forgetAll(): void {
    for (const key of this.known.keys()) this.touched.add(key);
    this.known.clear();
  }

  /** Takes note of an object that an act made. */
  made(act: KernelAct, event: Event): void {
    const { object } = act;
    const kind = inventoryKind(object);
    if (object === null || kind === null || !MAKERS.has(event.act.command)) return;
    this.remember({
      kind,
      id: object.id,
      type: typeName(TYPE_NAMES[kind], object.type),
      name: object.name,
      owner: event.principal,
      loader: event.loader?.name ?? event.loader?.path ?? null,
      firstSeenUs: event.timeUs,
      source: 'act',
      tag: kind === 'prog' ? object.tag : null,
      sha256: object.digest,
      program: kind === 'link' && object.targetId !== 0 ? object.targetId : null,
      ours: false,
    });
  }

  private remember(object: KnownObject): void {
    const key = keyOf(object.kind, object.id);
    this.known.set(key, object);
    this.touched.add(key);
  }

  /**
   * Compares with what is live. What nobody was seen making gives an INVENTORY event at the first
   * pass of a boot, a DRIFT event later; what is gone is forgotten. `before`: keys that were known
   * when `live` was read, so that an object made meanwhile is not taken for one that is gone.
   */
  reconcile(
    live: readonly LiveObject[],
    before: ReadonlySet<string>,
    at: { firstPass: boolean; timeUs: number; principal: PrincipalKey; mode: Mode },
  ): Event[] {
    const alive = new Set<string>();
    const events: Event[] = [];
    for (const object of live) {
      const kind = OBJECT_KINDS[object.kind];
      if (kind === undefined) continue;
      const key = keyOf(kind, object.id);
      alive.add(key);
      if (this.known.has(key)) continue;
      const found = fromInventory(kind, object, at);
      this.remember(found);
      if (!found.ours) events.push(inventoryEvent(found, object, at));
    }
    for (const key of before) if (!alive.has(key)) this.forget(key);
    return events;
  }

  private forget(key: string): void {
    if (this.known.delete(key)) this.touched.add(key);
  }

  keys(): Set<string> {
    return new Set(this.known.keys());
  }

  changes(): StateChange[] {
    const changes = [...this.touched].map((key): StateChange => {
      const object = this.known.get(key);
      const value = object === undefined ? null : Buffer.from(JSON.stringify(object));
      return { space: 'object', lane: 0, key, value };
    });
    this.touched.clear();
    return changes;
  }
}

function fromInventory(
  kind: ObjectKind,
  object: LiveObject,
  at: { firstPass: boolean; timeUs: number },
): KnownObject {
  return {
    kind,
    id: object.id,
    type: typeName(TYPE_NAMES[kind], object.type),
    name: object.name,
    owner: null,
    loader: null,
    firstSeenUs: at.timeUs,
    source: at.firstPass ? 'inventory' : 'drift',
    tag: kind === 'prog' ? object.tag : null,
    sha256: object.digest,
    program: kind === 'link' && object.targetId !== 0 ? object.targetId : null,
    ours: object.ours,
  };
}

function inventoryEvent(
  found: KnownObject,
  object: LiveObject,
  at: { firstPass: boolean; timeUs: number; principal: PrincipalKey; mode: Mode },
): Event {
  const { kind, id, type, name } = found;
  const base = systemEvent({
    command: at.firstPass ? 'INVENTORY' : 'DRIFT',
    ...at,
    details: {
      kind,
      id,
      type,
      name,
      ...(object.uid !== null && { loaded_by_uid: object.uid }),
      ...(!at.firstPass && { reason: 'live in the kernel, but no act made it in the log' }),
    },
  });
  const common = { id, type, owner: null, claimed: false };
  if (kind === 'map') return { ...base, map: { ...common, name } };
  if (kind === 'link') return { ...base, link: { ...common, program: found.program } };
  return {
    ...base,
    program: {
      ...common,
      name,
      license: null,
      signature: 'unknown',
      instructions: object.insnCnt,
      sha256: object.digest,
      tag: object.tag,
      attach: null,
      helpers: [],
      kfuncs: [],
      maps: [],
    },
  };
}
