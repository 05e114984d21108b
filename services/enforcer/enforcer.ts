import { BpfError, type ReflexEntry, type SubjectEntry } from '#bpf';
import {
  decode,
  details,
  EventError,
  hostPrincipal,
  isEventId,
  type PrincipalKey,
  type SystemCommand,
  type TierRecord,
  traceIds,
} from '#event';
import { type LogRecord, readPast } from '#log';
import { enforcesAnything, principalOf, subjectsOf } from '#policy';
import { type StateChange, scanAll } from '#state';
import { Breaker } from './breaker.ts';
import { ceilingDetails, hasFallen, reconcileCeiling, wasRoot } from './ceiling.ts';
import { type Held, storedHeld, type Told } from './held.ts';
import { Measures } from './measures.ts';
import type { EnforcerOptions } from './options.ts';
import { KIND_NAMES, KINDS } from './ports.ts';

/** A reflex of this boot that a tier has taken into account, and when we said so. */
interface Ack {
  readonly folded: bigint;
  readonly acked: bigint;
}

type Desired = SubjectEntry & { readonly principal: PrincipalKey; readonly held: Held | null };

const PARTITION = { topic: 'bpf.tiers', partition: 0 } as const;
const POSITION = 'enforcer/bpf.tiers/0';
const PREFIX = 'tier/';
const ACK_PREFIX = 'ack/';
const SOURCE_KEY = 'enforcer/source';
/** How often the guard is asked which reflexes are over, while there are any. */
const REFLEX_MS = 10_000;
const TIERS = ['denied', 'quarantined', 'restricted', 'standard', 'trusted'];
/** Signals after which nobody waits for an operator. */
const TAMPER_SIGNALS: ReadonlySet<string> = new Set(['S01', 'S02']);
const MAX_SUBJECTS = 65_536;

/**
 * Makes the kernel's subject map equal to the tiers that deviate from their default. It compares
 * desired and actual at start and after each change, so it does not matter who died in between.
 */
export class Enforcer {
  private readonly options: EnforcerOptions;
  private readonly held = new Map<PrincipalKey, Held>();
  private readonly acks = new Map<PrincipalKey, Ack>();
  private readonly breaker: Breaker;
  private readonly measures: Measures;
  private next = 0;
  private reflexesReadMs = 0;

  private constructor(options: EnforcerOptions) {
    this.options = options;
    this.breaker = new Breaker(options.breaker);
    this.measures = options.measures ?? new Measures();
  }

  static async open(options: EnforcerOptions): Promise<Enforcer> {
    const enforcer = new Enforcer(options);
    await enforcer.restore();
    // Nobody is raised or lowered by the first half of what there is to read.
    while (await enforcer.takeNext());
    enforcer.reconcile();
    return enforcer;
  }

  /** Where the next step reads on. */
  get place(): { topic: 'bpf.tiers'; partition: 0; from: number } {
    return { ...PARTITION, from: this.next };
  }

  private async restore(): Promise<void> {
    const { store, source } = this.options;
    let before: string | null = null;
    for await (const { key, value } of scanAll(store, 'host', 0)) {
      const text = Buffer.from(value).toString();
      if (key.startsWith(PREFIX)) {
        this.held.set(key.slice(PREFIX.length) as PrincipalKey, storedHeld(text));
      } else if (key.startsWith(ACK_PREFIX)) {
        this.restoreAck(key.slice(ACK_PREFIX.length) as PrincipalKey, text);
      } else if (key === SOURCE_KEY) before = text;
    }
    const isOther = before !== null && before !== source;
    if (this.options.afresh || isOther) return this.forget();
    this.next = Number((await store.position(POSITION)) ?? 0n);
    if (before !== null) return;
    const state = [stateOf(SOURCE_KEY, source)];
    await store.commit({ outputs: [], state, position: [] });
  }

  /** Nothing is known of this log: it is read from its beginning. */
  private async forget(): Promise<void> {
    const forgotten = [...this.held.keys()].map((key) => stateOf(`${PREFIX}${key}`, null));
    const state = [...forgotten, stateOf(SOURCE_KEY, this.options.source)];
    const position = [{ source: POSITION, next: 0n }];
    this.held.clear();
    this.next = 0;
    await this.options.store.commit({ outputs: [], state, position });
  }

  /** Boot times of another boot say nothing about this one. */
  private restoreAck(principal: PrincipalKey, text: string): void {
    const { bootId, folded, acked } = JSON.parse(text) as Record<string, string>;
    if (bootId !== this.options.bootId) return;
    this.acks.set(principal, { folded: BigInt(folded ?? 0), acked: BigInt(acked ?? 0) });
  }

  /** Takes what is new in `bpf.tiers` and makes the kernel follow. */
  async step(): Promise<{ more: boolean }> {
    const more = await this.takeNext(() => this.reconcile());
    if (!more) await this.forgetReflexes();
    return { more };
  }

  /** Takes records, and stores what they said once `taken` has been done. False: there are none. */
  private async takeNext(taken: () => void = () => undefined): Promise<boolean> {
    const { store } = this.options;
    const { records, damaged, next } = await readPast(store.log, PARTITION, this.next);
    if (damaged !== null) {
      this.options.logger.error({ reason: damaged.message }, 'a tier record cannot be read');
    } else if (records.length === 0) return false;
    const changes: StateChange[] = [];
    for (const record of records) changes.push(...(await this.take(record)));
    taken();
    this.next = next;
    const position = [{ source: POSITION, next: BigInt(this.next) }];
    await store.commit({ outputs: [], state: changes, position });
    return true;
  }

  /** Drops acknowledgements of reflexes that the guard has ended. */
  private async forgetReflexes(): Promise<void> {
    const { now, reflexes, store } = this.options;
    if (this.acks.size === 0 || Math.abs(now() - this.reflexesReadMs) < REFLEX_MS) return;
    this.reflexesReadMs = now();
    const live = new Set(reflexes.read().map((entry) => this.principalOf(entry)));
    const over = [...this.acks.keys()].filter((principal) => !live.has(principal));
    if (over.length === 0) return;
    for (const principal of over) this.acks.delete(principal);
    this.reconcile();
    const state = over.map((principal) => stateOf(ACK_PREFIX + principal, null));
    await store.commit({ outputs: [], state, position: [] });
  }

  private principalOf({ kind, id }: ReflexEntry): PrincipalKey {
    const { host, policy } = this.options;
    const { realms, loaders } = policy;
    const name = KIND_NAMES[kind] ?? 'uid';
    return principalOf({ kind: name, id }, { host, realms, loaders });
  }

  /** The larger revision wins; a record already known changes nothing. */
  private async take(record: LogRecord): Promise<StateChange[]> {
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
    const before = this.held.get(principal) ?? null;
    const newest = before?.pending?.revision ?? before?.revision ?? -1;
    if (newest >= record.offset) {
      this.measures.older += 1;
      return [];
    }
    const held = await this.heldOf(tier, record, before);
    if (held === null) this.held.delete(principal);
    else this.held.set(principal, held);
    const text = held === null ? null : JSON.stringify(held);
    return [stateOf(PREFIX + principal, text), ...this.acknowledge(tier)];
  }

  /** What is to be held of a principal from a record on; null at its default. */
  private async heldOf(
    tier: TierRecord,
    { offset: revision, appendedMs: arrivedMs }: LogRecord,
    before: Held | null,
  ): Promise<Held | null> {
    const { principal, pinned, cause, causeTimeUs } = tier;
    const told: Told = { tier: tier.tier, pinned, revision, cause, causeTimeUs, arrivedMs };
    const from = before?.tier ?? this.defaultOf(principal);
    if (TIERS.indexOf(tier.tier) < TIERS.indexOf(from) && !(await this.mayLower(tier))) {
      this.sayHeldBack(principal, from, told);
      const stays = before ?? { ...told, tier: from, pinned: false };
      return { ...stays, pending: told };
    }
    if (tier.default) return null;
    const root = hasFallen(told) && (before?.root ?? wasRoot(principal, this.options));
    return { ...told, pending: null, ...(root && { root }) };
  }

  private defaultOf(principal: PrincipalKey): string {
    return this.options.policy.trusted.includes(principal) ? 'trusted' : 'standard';
  }

  /** An operator's own word and tampering are never held back. */
  private async mayLower({ principal, pinned, approved, reasons }: TierRecord): Promise<boolean> {
    if (pinned || approved || reasons.some((id) => TAMPER_SIGNALS.has(id))) return true;
    const { now, population } = this.options;
    return this.breaker.admits(principal, now(), population);
  }

  private sayHeldBack(principal: PrincipalKey, from: string, { tier, cause }: Told): void {
    const { least, sharePermille, hostsPermille, withinMs } = this.options.breaker;
    this.options.logger.error({ principal, from, to: tier }, 'a lowering is held back');
    this.say('BREAKER', {
      for_principal: principal,
      stays: from,
      held_back: tier,
      cause,
      limit: `${least} principals, or ${sharePermille / 10} % of them, or ${
        hostsPermille / 10
      } % of hosts, within ${withinMs / 1000} s`,
      next: './warden breaker lists and approves',
    });
  }

  /** The tier takes an act into account for which the guard lowered the subject by itself. */
  private acknowledge({ principal, reflex }: TierRecord): StateChange[] {
    const { host, bootId, bootNow } = this.options;
    if (reflex === null || reflex.host !== host || reflex.bootId !== bootId) return [];
    const folded = BigInt(reflex.bootNs);
    if (folded <= (this.acks.get(principal)?.folded ?? 0n)) return [];
    const ack = { folded, acked: bootNow() };
    this.acks.set(principal, ack);
    const text = JSON.stringify({ bootId, folded: `${folded}`, acked: `${ack.acked}` });
    return [stateOf(ACK_PREFIX + principal, text)];
  }

  /** What the kernel is to hold: deviations and acknowledgements. Trust beyond that is not ours. */
  private desired(): Map<string, Desired> {
    const { host, policy } = this.options;
    const { realms, loaders } = policy;
    const trusted = new Set(policy.trusted);
    const desired = new Map<string, Desired>();
    for (const principal of new Set([...this.acks.keys(), ...this.held.keys()])) {
      const held = this.held.get(principal) ?? null;
      const ack = this.acks.get(principal);
      const tier = TIERS.indexOf(held?.tier ?? (trusted.has(principal) ? 'trusted' : 'standard'));
      const pinned = held?.pinned ?? false;
      for (const { kind, id } of subjectsOf(principal, { host, realms, loaders })) {
        desired.set(`${KINDS[kind]}/${id}`, {
          kind: KINDS[kind],
          id,
          tier,
          pinned,
          revision: BigInt(held?.revision ?? 0),
          foldedBootNs: ack?.folded ?? 0n,
          ackedBootNs: ack?.acked ?? 0n,
          principal,
          held,
        });
      }
    }
    return desired;
  }

  /** Sets and removes until the map is as it should be, and says each change of a tier. */
  reconcile(): void {
    const { subjects, logger } = this.options;
    this.measures.countTiers(this.held.values());
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
      const isSame =
        found?.tier === entry.tier &&
        found.pinned === entry.pinned &&
        found.revision === entry.revision;
      if (isSame && found.foldedBootNs === entry.foldedBootNs) continue;
      const { principal, held, ...value } = entry;
      try {
        subjects.set(value);
      } catch (error) {
        // A full map keeps who is in it; the rest is said, and tried again with the next change.
        if (!(error instanceof BpfError)) throw error;
        logger.error({ subject: key, reason: error.message }, 'a tier is not in the kernel');
        continue;
      }
      if (!isSame) this.report(principal, entry, found?.tier ?? null, held);
    }
    for (const [key, entry] of actual) {
      if (desired.has(key) || !subjects.remove(entry.kind, entry.id)) continue;
      this.report(null, entry, entry.tier, null);
    }
    this.reconcileHost();
  }

  private reconcileHost(): void {
    const { hostMap, policy } = this.options;
    const change = reconcileCeiling(this.held, hostMap, policy.rootFall);
    if (change !== null) this.say('ENFORCED', { ...ceilingDetails(change), effect: this.effect() });
  }

  private effect(): string {
    const { mode, policy } = this.options;
    if (mode === 'audit') return 'not enforceable here';
    if (mode === 'signal' && enforcesAnything(policy))
      return 'loads only: who makes them is killed';
    return enforcesAnything(policy) ? 'enforced' : 'recorded only: the policy observes';
  }

  private report(
    principal: PrincipalKey | null,
    entry: SubjectEntry,
    before: number | null,
    held: Held | null,
  ): void {
    const { now } = this.options;
    const kind = KIND_NAMES[entry.kind] ?? 'unknown';
    const latencyMs = held === null ? 0 : Math.max(0, now() - Math.floor(held.causeTimeUs / 1000));
    this.measures.changes += 1;
    if (held !== null) this.measure(held, latencyMs);
    this.say('ENFORCED', {
      subject: `${kind}:${entry.id}`,
      before: before === null ? 'default' : (TIERS[before] ?? before),
      after: principal === null ? 'default' : (TIERS[entry.tier] ?? entry.tier),
      revision: Number(entry.revision),
      effect: this.effect(),
      ...(principal !== null && { for_principal: principal }),
      ...(held !== null && { cause: held.cause, latency_ms: latencyMs }),
    });
  }

  /** A change that follows a tier: how long it took, and the last span of an act's trace. */
  private measure({ cause, arrivedMs, tier }: Held, latencyMs: number): void {
    const { now, tracer, host } = this.options;
    const endMs = now();
    this.measures.latency.observe(latencyMs / 1000);
    this.measures.following.observe(Math.max(0, endMs - arrivedMs) / 1000);
    if (tracer == null || !isEventId(cause)) return;
    const attributes = { event: cause, tier, host };
    const ids = traceIds(cause, 'enforce');
    tracer.span({ name: 'enforce', ids, startMs: Math.min(arrivedMs, endMs), endMs, attributes });
  }

  /** Stores an event of the system's own under this host's principal. */
  private say(command: SystemCommand, values: Parameters<typeof details>[0]): void {
    const { mode, host, now, append } = this.options;
    append({
      timeUs: now() * 1000,
      principal: hostPrincipal(host),
      subject: null,
      loader: null,
      process: null,
      act: { command, via: 'warden', result: null, errno: null, count: 1 },
      program: null,
      map: null,
      link: null,
      path: null,
      verdict: { decision: 'allow', rule: null, enforced: false, mode, by: 'subject' },
      details: details(values),
    });
  }
}

function stateOf(key: string, text: string | null): StateChange {
  return { space: 'host', lane: 0, key, value: text === null ? null : Buffer.from(text) };
}
