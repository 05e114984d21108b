import { ACT_FLAGS, type KernelAct, type KernelCounter, NO_ID } from '#bpf';
import {
  commandName,
  decodeTrusted,
  type Event,
  encode,
  errnoName,
  type Mode,
  type Process,
  type Verdict,
} from '#event';
import { loaderOfNumber, principalOf } from '#policy';
import { type StateChange, type Store, scanAll } from '#state';
import { type Context, subjectOf, wallUs } from './translate.ts';

const KEY_FLAGS =
  ACT_FLAGS.auidCounts | ACT_FLAGS.auidClaimed | ACT_FLAGS.compat | ACT_FLAGS.counterFull;

interface Known {
  total: number;
  /** The event of the counter's first call: what later totals repeat but for count and time. */
  template: Buffer;
}

/**
 * Data-plane commands: the kernel counts them by key in numbers that only grow; the first call of a
 * key comes as a record. What was stored already is kept per key, so that a total is stored once.
 */
export class Counters {
  private readonly known = new Map<string, Known>();
  private readonly touched = new Set<string>();
  /** Keys read once whose first record had not come by then. */
  private readonly waiting = new Set<string>();
  private readonly life: string;

  private constructor(life: string) {
    this.life = life;
  }

  static async open(store: Store, life: string): Promise<Counters> {
    const counters = new Counters(life);
    for await (const { key, value } of scanAll(store, 'counter')) counters.restore(key, value);
    return counters;
  }

  /** Counters of an earlier boot are gone with its kernel, and dropped at the next commit. */
  private restore(key: string, value: Uint8Array): void {
    if (!key.startsWith(`${this.life}/`)) {
      this.touched.add(key);
      return;
    }
    const stored = JSON.parse(Buffer.from(value).toString()) as { total: number; event: string };
    this.known.set(key, { total: stored.total, template: Buffer.from(stored.event, 'base64') });
  }

  /** Takes note of a counter's first call, whose event is stored by itself. */
  first(act: KernelAct, event: Event): void {
    const key = `${this.life}/${counterKey(act)}`;
    this.waiting.delete(key);
    if (this.known.has(key)) return;
    this.known.set(key, { total: 1, template: encode('Event', event) });
    this.touched.add(key);
  }

  /** Whether a counter waits for its first record: it is looked at again at the next pass. */
  get unsettled(): boolean {
    return this.waiting.size > 0;
  }

  /**
   * Events for what has been counted since the last call, in the order of last use. `counters` were
   * read before the rings, which have been drained up to then. The first record of a new key is
   * sent just after its counter is made, so a key without one waits for another pass; if it has
   * none by then, that record was lost, and declared: the first call is not told a second time.
   */
  collect(counters: readonly KernelCounter[], context: Context): Event[] {
    const grown = counters
      .filter((counter) => counter.calls > this.totalOf(counter))
      .sort((a, b) => (a.lastBootNs < b.lastBootNs ? -1 : Number(a.lastBootNs > b.lastBootNs)));
    return grown.flatMap((counter) => this.settle(counter, context));
  }

  private settle(counter: KernelCounter, context: Context): Event[] {
    const key = `${this.life}/${counter.key}`;
    if (!this.known.has(key)) {
      if (!this.waiting.delete(key)) {
        this.waiting.add(key);
        return [];
      }
      this.known.set(key, { total: 1, template: encode('Event', bareEvent(counter, context)) });
      this.touched.add(key);
    }
    return counter.calls > this.totalOf(counter) ? [this.advance(counter, context)] : [];
  }

  private totalOf(counter: KernelCounter): number {
    return this.known.get(`${this.life}/${counter.key}`)?.total ?? 0;
  }

  private advance(counter: KernelCounter, context: Context): Event {
    const key = `${this.life}/${counter.key}`;
    const known = this.known.get(key) as Known;
    const template = decodeTrusted('Event', known.template);
    const count = counter.calls - known.total;
    this.known.set(key, { ...known, total: counter.calls });
    this.touched.add(key);
    return {
      ...template,
      timeUs: wallUs(counter.lastBootNs, context.bootOffsetNs),
      act: { ...template.act, count },
    };
  }

  changes(): StateChange[] {
    const changes = [...this.touched].map((key): StateChange => {
      const known = this.known.get(key);
      const value =
        known === undefined
          ? null
          : JSON.stringify({ total: known.total, event: known.template.toString('base64') });
      return { space: 'counter', lane: 0, key, value: value === null ? null : Buffer.from(value) };
    });
    this.touched.clear();
    return changes;
  }
}

/** The kernel's counter key of a record, as `KernelCounter.key` prints it. */
export function counterKey(act: KernelAct): string {
  const bytes = Buffer.alloc(40);
  const full = (act.flags & ACT_FLAGS.counterFull) !== 0;
  bytes.writeUInt32LE(act.subject.kind, 0);
  bytes.writeUInt32LE(act.subject.id, 4);
  if (!full) {
    bytes.writeBigUInt64LE(act.exe.inode, 8);
    bytes.writeUInt32LE(act.exe.device, 16);
    bytes.writeUInt32LE(act.exe.generation, 20);
    bytes.writeUInt32LE(act.object?.kind === 2 ? act.object.id : 0, 24);
  }
  bytes.writeUInt32LE(act.command, 28);
  bytes.writeInt32LE(Math.min(0, act.result), 32);
  const refused = act.decision === 0 ? 0 : ACT_FLAGS.refused;
  bytes.writeUInt32LE((act.flags & KEY_FLAGS) | refused, 36);
  return bytes.toString('hex');
}

/** Of the process that made a counter's first call, only what the counter keeps. */
function firstCaller({ pid, uid, auid, comm, flags }: KernelCounter): Process {
  const claimed = flags & ACT_FLAGS.auidClaimed ? 'claimed' : 'unset';
  return {
    pid,
    tid: null,
    ppid: null,
    uid,
    euid: null,
    auid: auid === NO_ID ? null : auid,
    auidStatus: flags & ACT_FLAGS.auidCounts ? 'counts' : claimed,
    session: null,
    comm,
    cgroup: '',
    exeLabel: 'call',
    userns: null,
    initUserns: true,
    capabilities: [],
  };
}

const EPERM = 1;

/** A refused counter does not keep by which rule. */
function verdictOf({ flags, resultClass }: KernelCounter, mode: Mode): Verdict {
  const refuses = mode === 'lsm' || mode === 'fmod_ret';
  const denied = refuses && resultClass === -EPERM;
  const refused = denied ? 'deny' : 'would_deny';
  const decision = flags & ACT_FLAGS.refused ? refused : 'allow';
  return { decision, rule: null, enforced: decision === 'deny', mode, by: 'subject' };
}

/** For a counter whose first record was lost: what the counter itself knows. */
function bareEvent(counter: KernelCounter, context: Context): Event {
  const subject = subjectOf(counter.subject);
  const { host, policy, mode } = context;
  const failed = counter.resultClass < 0;
  return {
    timeUs: 0,
    principal: principalOf(subject, { host, realms: policy.realms, loaders: policy.loaders }),
    subject,
    loader: {
      name: loaderOfNumber(counter.loader, policy.loaders),
      path: '',
      pathTruncated: false,
      sha256: null,
      device: counter.exe.device,
      inode: counter.exe.inode.toString(),
      ownerUid: 0,
      places: [],
    },
    process: firstCaller(counter),
    act: {
      command: commandName(counter.command),
      via: counter.flags & ACT_FLAGS.compat ? 'bpf_compat' : 'bpf',
      result: failed ? -1 : 0,
      errno: failed ? errnoName(-counter.resultClass) : null,
      count: 1,
    },
    program: null,
    map:
      counter.mapId === 0
        ? null
        : {
            id: counter.mapId,
            type: null,
            name: null,
            owner: context.ownerOf('map', counter.mapId),
            claimed: false,
          },
    link: null,
    path: null,
    verdict: verdictOf(counter, mode),
    details: [],
  };
}
