import { decode } from './codec.ts';
import type { BpfLink, BpfMap, Enriched, Event, Loader, Process, Program } from './event.ts';
import { type EventId, formatEventId } from './ids.ts';

/**
 * An event as `tail --json`, the console and the SIEM get it: `schemas/bpf.enriched.schema.json`
 * describes it. Adding a field is allowed, changing or removing one makes `bpf.enriched/2`.
 */
export interface EventJson {
  readonly schema: 'bpf.enriched/1';
  readonly id: string;
  /** RFC 3339, UTC, microseconds. */
  readonly time: string;
  readonly host: string;
  readonly principal: string;
  readonly display: string;
  readonly loader: unknown;
  readonly process: unknown;
  readonly act: unknown;
  readonly program: unknown;
  readonly map: unknown;
  readonly link: unknown;
  readonly path: string | null;
  readonly verdict: unknown;
  readonly trust: {
    readonly before: number;
    readonly after: number;
    readonly tier: string;
    readonly signals: readonly string[];
  } | null;
  readonly details?: Readonly<Record<string, string>>;
}

/** 1 point of trust in micro-points. */
export const MICRO = 1_000_000;

/** RFC 3339 in UTC with microseconds. */
export function formatTime(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000);
  const micros = String(timeUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${micros}Z`;
}

const loaderJson = (loader: Loader | null) =>
  loader && {
    name: loader.name,
    path: loader.path,
    path_truncated: loader.pathTruncated,
    sha256: loader.sha256,
    device: loader.device,
    inode: loader.inode,
    owner_uid: loader.ownerUid,
    places: loader.places,
  };

const processJson = (process: Process | null) =>
  process && {
    pid: process.pid,
    tid: process.tid,
    ppid: process.ppid,
    uid: process.uid,
    euid: process.euid,
    auid: process.auid,
    auid_status: process.auidStatus,
    session: process.session,
    comm: process.comm,
    cgroup: process.cgroup,
    exe_label: process.exeLabel,
    userns: process.userns,
    init_userns: process.initUserns,
    capabilities: process.capabilities,
  };

const programJson = (program: Program | null) =>
  program && {
    id: program.id,
    type: program.type,
    name: program.name,
    license: program.license,
    signature: program.signature,
    instructions: program.instructions,
    sha256: program.sha256,
    tag: program.tag,
    attach: program.attach,
    helpers: program.helpers,
    kfuncs: program.kfuncs,
    maps: program.maps,
    owner: program.owner,
    claimed: program.claimed,
  };

const mapJson = (map: BpfMap | null) =>
  map && { id: map.id, type: map.type, name: map.name, owner: map.owner, claimed: map.claimed };

const linkJson = (link: BpfLink | null) =>
  link && {
    id: link.id,
    type: link.type,
    program: link.program,
    owner: link.owner,
    claimed: link.claimed,
  };

function trustJson(enriched: Enriched): EventJson['trust'] {
  const { trustBefore, trustAfter, tier, signals } = enriched;
  if (trustBefore === null || trustAfter === null || tier === null) return null;
  return { before: trustBefore / MICRO, after: trustAfter / MICRO, tier, signals };
}

function detailsJson(event: Event): Pick<EventJson, 'details'> {
  if (event.details.length === 0) return {};
  const values: Record<string, string> = Object.create(null);
  for (const { key, value } of event.details) values[key] = value;
  return { details: values };
}

/** How a principal is shown; by default its key. */
export type Display = (principal: string) => string;

/** The event JSON of an enriched record. Throws `EventError` when the event's bytes are bad. */
export function toJson(enriched: Enriched, display: Display = (key) => key): EventJson {
  const event = decode('Event', enriched.event);
  return eventJson(enriched, event, display);
}

/** `toJson` where the event is decoded already. */
export function eventJson(enriched: Enriched, event: Event, display: Display): EventJson {
  const { verdict, act } = event;
  return {
    schema: 'bpf.enriched/1',
    id: formatEventId(enriched as unknown as EventId),
    time: formatTime(event.timeUs),
    host: enriched.host,
    principal: event.principal,
    display: display(event.principal),
    loader: loaderJson(event.loader),
    process: processJson(event.process),
    act: {
      command: act.command,
      via: act.via,
      result: act.result,
      errno: act.errno,
      count: act.count,
    },
    program: programJson(event.program),
    map: mapJson(event.map),
    link: linkJson(event.link),
    path: event.path,
    verdict: {
      decision: verdict.decision,
      rule: verdict.rule,
      enforced: verdict.enforced,
      mode: verdict.mode,
      by: verdict.by,
    },
    trust: trustJson(enriched),
    ...detailsJson(event),
  };
}
