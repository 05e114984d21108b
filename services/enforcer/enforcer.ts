import { BpfError, type SubjectEntry } from '#bpf';
import {
  decode,
  details,
  type Event,
  EventError,
  type HostName,
  hostPrincipal,
  type Mode,
  type PrincipalKey,
  type TierRecord,
} from '#event';
import { type LogRecord, readPast } from '#log';
import { type Policy, subjectsOf } from '#policy';
import { type StateChange, type Store, scanAll } from '#state';
import type { Logger } from '#telemetry';

/** The kernel's subject map, as the enforcer needs it. */
export interface SubjectMap {
  read(): SubjectEntry[];
  set(entry: SubjectEntry): void;
  remove(kind: number, id: number): boolean;
}

export interface EnforcerOptions {
  readonly store: Store;
  readonly subjects: SubjectMap;
  readonly host: HostName;
  readonly mode: Mode;
  readonly policy: Policy;
  readonly logger: Logger;
  /** Stores an event under this host's own principal. */
  readonly append: (event: Event) => void;
  readonly now: () => number;
}

/** A principal's tier as this host last heard it; `revision` is its record's offset. */
interface Held {
  readonly tier: string;
  readonly revision: number;
  readonly cause: string;
  readonly causeTimeUs: number;
}

const PARTITION = { topic: 'bpf.tiers', partition: 0 } as const;
const POSITION = 'enforcer/bpf.tiers/0';
const PREFIX = 'tier/';
const TIERS = ['denied', 'quarantined', 'restricted', 'standard', 'trusted'];
const KINDS = { auid: 1, loader: 2, uid: 3 } as const;
const MAX_SUBJECTS = 65_536;

/**
 * Makes the kernel's subject map equal to the tiers that deviate from their default. It compares
 * desired and actual at start and after each change, so it does not matter who died in between.
 */
export class Enforcer {
  private readonly options: EnforcerOptions;
  private readonly held = new Map<PrincipalKey, Held>();
  private next = 0;

  private constructor(options: EnforcerOptions) {
    this.options = options;
  }

  static async open(options: EnforcerOptions): Promise<Enforcer> {
    const enforcer = new Enforcer(options);
    await enforcer.restore();
    await enforcer.step();
    enforcer.reconcile();
    return enforcer;
  }

  private async restore(): Promise<void> {
    const { store } = this.options;
    this.next = Number((await store.position(POSITION)) ?? 0n);
    for await (const { key, value } of scanAll(store, 'host', 0)) {
      if (!key.startsWith(PREFIX)) continue;
      const principal = key.slice(PREFIX.length) as PrincipalKey;
      this.held.set(principal, JSON.parse(Buffer.from(value).toString()) as Held);
    }
  }

  /** Takes what is new in `bpf.tiers` and makes the kernel follow. */
  async step(): Promise<{ more: boolean }> {
    const { store } = this.options;
    const { records, damaged, next } = await readPast(store.log, PARTITION, this.next);
    if (damaged !== null) {
      this.options.logger.error({ reason: damaged.message }, 'a tier record cannot be read');
    } else if (records.length === 0) return { more: false };
    const changes = records.flatMap((record) => this.take(record));
    this.reconcile();
    this.next = next;
    const position = [{ source: POSITION, next: BigInt(this.next) }];
    await store.commit({ outputs: [], state: changes, position });
    return { more: true };
  }

  /** The larger revision wins; a record already known changes nothing. */
  private take(record: LogRecord): StateChange[] {
    let tier: TierRecord;
    try {
      tier = decode('Tier', record.value);
    } catch (error) {
      if (!(error instanceof EventError)) throw error;
      this.options.logger.error(
        { offset: record.offset, reason: error.message },
        'bad tier record',
      );
      return [];
    }
    const { principal } = tier;
    if ((this.held.get(principal)?.revision ?? -1) >= record.offset) return [];
    const { cause, causeTimeUs } = tier;
    const held = { tier: tier.tier, revision: record.offset, cause, causeTimeUs };
    if (tier.default) this.held.delete(principal);
    else this.held.set(principal, held);
    const value = tier.default ? null : Buffer.from(JSON.stringify(held));
    return [{ space: 'host', lane: 0, key: PREFIX + principal, value }];
  }

  private desired(): Map<string, SubjectEntry & { principal: PrincipalKey; held: Held }> {
    const { host, policy } = this.options;
    const { realms, loaders } = policy;
    const desired = new Map<string, SubjectEntry & { principal: PrincipalKey; held: Held }>();
    for (const [principal, held] of this.held) {
      for (const { kind, id } of subjectsOf(principal, { host, realms, loaders })) {
        const tier = TIERS.indexOf(held.tier);
        const entry = { kind: KINDS[kind], id, tier, revision: BigInt(held.revision) };
        desired.set(`${entry.kind}/${id}`, { ...entry, principal, held });
      }
    }
    return desired;
  }

  /** Sets and removes until the map is as it should be, and says each change. */
  reconcile(): void {
    const { subjects, logger } = this.options;
    const desired = this.desired();
    if (desired.size > MAX_SUBJECTS) {
      logger.error(
        { subjects: desired.size, limit: MAX_SUBJECTS },
        'more subjects than the map holds',
      );
    }
    const actual = new Map(subjects.read().map((entry) => [`${entry.kind}/${entry.id}`, entry]));
    for (const [key, entry] of desired) {
      const found = actual.get(key);
      if (found?.tier === entry.tier && found.revision === entry.revision) continue;
      const { kind, id, tier, revision } = entry;
      try {
        subjects.set({ kind, id, tier, revision });
      } catch (error) {
        // A full map keeps who is in it; the rest is said, and tried again with the next change.
        if (!(error instanceof BpfError)) throw error;
        logger.error({ subject: key, reason: error.message }, 'a tier is not in the kernel');
        continue;
      }
      this.report(entry.principal, entry, found?.tier ?? null, entry.held);
    }
    for (const [key, entry] of actual) {
      if (desired.has(key) || !subjects.remove(entry.kind, entry.id)) continue;
      this.report(null, entry, entry.tier, null);
    }
  }

  private report(
    principal: PrincipalKey | null,
    entry: SubjectEntry,
    before: number | null,
    held: Held | null,
  ): void {
    const { mode, host, now, append } = this.options;
    const kind =
      Object.entries(KINDS).find(([, number]) => number === entry.kind)?.[0] ?? 'unknown';
    const nowMs = now();
    append({
      timeUs: nowMs * 1000,
      principal: hostPrincipal(host),
      subject: null,
      loader: null,
      process: null,
      act: { command: 'ENFORCED', via: 'warden', result: null, errno: null, count: 1 },
      program: null,
      map: null,
      link: null,
      path: null,
      verdict: { decision: 'allow', rule: null, enforced: false, mode },
      details: details({
        subject: `${kind}:${entry.id}`,
        before: before === null ? 'default' : (TIERS[before] ?? before),
        after: held === null ? 'default' : held.tier,
        revision: Number(entry.revision),
        effect: mode === 'audit' ? 'not enforceable here' : 'enforced',
        ...(principal !== null && { for_principal: principal }),
        ...(held !== null && {
          cause: held.cause,
          latency_ms: Math.max(0, nowMs - Math.floor(held.causeTimeUs / 1000)),
        }),
      }),
    });
  }
}
