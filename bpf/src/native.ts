import { createRequire } from 'node:module';
import { BpfError } from './errors.ts';

/** The addon's functions; `bpf/addon` documents each. Errors carry `code`, an errno name. */
export interface Native {
  objGet(path: string, flags: number): number;
  mapInfo(fd: number): [type: number, id: number, key: number, value: number, entries: number];
  mapLookup(fd: number, key: Uint8Array, value: Uint8Array): boolean;
  mapUpdate(fd: number, key: Uint8Array, value: Uint8Array, flags: number): void;
  mapDelete(fd: number, key: Uint8Array): boolean;
  mapLookupBatch(fd: number, keys: Uint8Array, values: Uint8Array): number;
  progTestRun(fd: number, context: Uint8Array): number;
  ringOpen(fd: number, size: number): RingHandle;
  ringRead(ring: RingHandle, from: number, out: Uint8Array): [bytes: number, next: number];
  ringPositions(ring: RingHandle): [consumer: number, producer: number];
  ringRelease(ring: RingHandle, position: number): void;
  ringClose(ring: RingHandle): void;
  watchOpen(fds: readonly number[], ready: (mask: number) => void): WatchHandle;
  watchArm(watch: WatchHandle, mask: number): void;
  watchClose(watch: WatchHandle): void;
  /** CLOCK_REALTIME minus CLOCK_BOOTTIME, ns. */
  bootOffset(): bigint;
  closeFd(fd: number): void;
}

declare const ring: unique symbol;
export interface RingHandle {
  readonly [ring]: true;
}

declare const watch: unique symbol;
export interface WatchHandle {
  readonly [watch]: true;
}

let loaded: Native | undefined;

/** The addon, loaded once. Throws `BpfError` NOT_BUILT. */
export function native(): Native {
  if (loaded !== undefined) return loaded;
  try {
    loaded = createRequire(import.meta.url)('../build/warden.node') as Native;
  } catch (error) {
    const hint = 'bpf/build/warden.node does not load: run ./warden doctor';
    throw new BpfError('NOT_BUILT', `${hint}: ${(error as Error).message}`, { cause: error });
  }
  return loaded;
}
