import {
  ChainError,
  Checkpoints,
  type Finding,
  type KnownHead,
  kindOf,
  type OpenedFrame,
  openFrame,
  type Report,
  type SignedFinding,
  type StoredFrame,
  Verifier,
} from '#chain';
import { kafkaConfig, openFleetKeysToVerify, type SignerRegister } from '#config';
import { fleetContract, IMPATIENT, KafkaClient, KafkaLog, partitionOf } from '#log/kafka';
import { createLogger } from '#telemetry';
import { EXIT } from '../shared/exit.ts';
import { asCliError } from '../shared/log-error.ts';
import { configOf } from '../shared/open.ts';
import { checkControl, damagedAt, Findings, progress } from '../shared/verified.ts';
import { type HostKeys, hostKeys } from './host-keys.ts';
import { readHeartbeats, type Said, signersIn } from './hosts.ts';
import type { FleetOptions } from './options.ts';
import { extentOf, learnSchemas, recordsOf } from './topic.ts';
import { type Found, type FoundIn, type HostLine, printVerified } from './verified.ts';

const DAY_MS = 24 * 3_600_000;
/** Forged records that are younger count. Anybody with a host's rights can write some. */
const FORGED_MS = DAY_MS;

/**
 * Since when a topic must be whole: what is older may have been deleted in its time. A day's slack
 * is for a checkpoint that comes later than what it is of, and for a read that takes hours.
 */
function wholeSince(topic: string, nowMs: number): number {
  const found = fleetContract().topics.find((one) => one.topic === topic);
  return nowMs - Number(found?.settings['retention.ms'] ?? 0) + DAY_MS;
}

/** What is missing or another, and what is forged: the second never hides the first. */
class Sorted<T extends Found> implements FoundIn<T> {
  readonly missing = new Findings<T>();
  readonly forged = { recent: new Findings<T>(), older: new Findings<T>() };
  private readonly nowMs: number;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  /** `appendedMs` is null where it is of no record. */
  add(finding: T, appendedMs: number | null): void {
    if (kindOf(finding.code) === 'broken') this.missing.add(finding);
    else if (appendedMs === null || appendedMs > this.nowMs - FORGED_MS) {
      this.forged.recent.add(finding);
    } else this.forged.older.add(finding);
  }

  /** Nothing is missing, and nothing was forged of late. */
  get isGood(): boolean {
    return this.missing.count === 0 && this.forged.recent.count === 0;
  }
}

type Signed = SignedFinding;
type InPartition = Finding & { readonly partition: number };

async function readCheckpoints(log: KafkaLog, register: SignerRegister, found: Sorted<Signed>) {
  const nowMs = Date.now();
  const checkpoints = new Checkpoints({
    signersOf: (host, appendedMs) => register.validAt(host, appendedMs),
    hosts: () => register.hosts,
    keptSinceMs: wholeSince('bpf.events', nowMs),
    wholeSinceMs: wholeSince('bpf.checkpoints', nowMs),
  });
  for await (const record of recordsOf(log, await extentOf(log, 'bpf.checkpoints'))) {
    const finding = checkpoints.add(record);
    if (finding !== null) found.add(finding, record.appendedMs);
  }
  return checkpoints;
}

interface Partition {
  readonly partition: number;
  readonly partitions: number;
}

type Appended = StoredFrame & { readonly appendedMs: number };

/** Opens a frame under any key that was its host's then: two rotations may lie behind it. */
export function openByEvery(
  { value, appendedMs }: Pick<Appended, 'value' | 'appendedMs'>,
  everyKeyOf: HostKeys['everyKeyOf'],
): OpenedFrame {
  let keys: readonly Uint8Array[] = [];
  for (let n = 0; ; n++) {
    try {
      return openFrame(value, (host) => {
        if (n === 0) keys = everyKeyOf(host, appendedMs);
        return keys[n] ?? null;
      });
    } catch (error) {
      const isOther = error instanceof ChainError && error.code === 'BAD_MAC';
      if (!isOther || n + 1 >= keys.length) throw error;
    }
  }
}

/** Opens a frame where its lane belongs, under a key that was its host's then. */
function opener(keys: HostKeys, { partition, partitions }: Partition) {
  return (record: StoredFrame) => {
    const frame = openByEvery(record as Appended, keys.everyKeyOf);
    if (partitionOf(frame.lane, partitions) === partition) return frame;
    throw new ChainError('WRONG_LANE', `frame of lane ${frame.lane} in partition ${partition}`);
  };
}

interface Trusted {
  readonly keys: HostKeys;
  readonly control: Uint8Array | null;
  readonly register: SignerRegister;
}

interface Chains extends Pick<Trusted, 'keys' | 'control'> {
  readonly heads: ReadonlyMap<string, KnownHead>;
  readonly found: Sorted<InPartition>;
}

/** The chains of a partition, and those of them that should be there. */
async function verifyPartition(log: KafkaLog, at: Partition, chains: Chains) {
  const { keys, control, heads, found } = chains;
  const { partition, partitions } = at;
  const isHere = (lane: number) => partitionOf(lane, partitions) === partition;
  const extent = await extentOf(log, 'bpf.events', partition);
  const verifier = new Verifier({
    keyOf: () => null,
    open: opener(keys, at),
    ...(control !== null && { checkControl: checkControl(control, isHere) }),
    unanchored: extent.start > 0 ? 'accept' : 'refuse',
  });
  const tell = progress(`partition ${partition}`);
  const note = (finding: Finding | null, appendedMs: number | null) => {
    // A host that does not know whether a batch arrived sends it again.
    if (finding === null || finding.code === 'DUPLICATE') return;
    found.add({ partition, ...finding }, appendedMs);
  };
  for await (const { value, ...record } of recordsOf(log, extent)) {
    const { offset, appendedMs } = record;
    const finding =
      value === null
        ? damagedAt(offset, 'a record without a value')
        : verifier.add({ ...record, value });
    note(finding, appendedMs);
    tell(offset + 1, extent.end);
  }
  for (const finding of verifier.finish(headsIn(heads, at), extent.end)) note(finding, null);
  return verifier.report();
}

function sum(reports: readonly Report[]): Report {
  const all = (name: Exclude<keyof Report, 'first'>) =>
    reports.reduce((total, report) => total + report[name], 0);
  return {
    frames: all('frames'),
    events: all('events'),
    controls: all('controls'),
    chains: all('chains'),
    duplicates: all('duplicates'),
    uncompared: all('uncompared'),
    unanchored: all('unanchored'),
    bad: all('bad'),
    first: reports.find(({ first }) => first !== null)?.first ?? null,
  };
}

function headsIn(heads: ReadonlyMap<string, KnownHead>, { partition, partitions }: Partition) {
  const isHere = (key: string) => partitionOf(Number(key.split('/')[2]), partitions) === partition;
  return new Map([...heads].filter(([key]) => isHere(key)));
}

/** Of each host the last that is there of both, and how old it is. */
function linesOf(register: SignerRegister, said: Said, checkpoints: Checkpoints): HostLine[] {
  const nowMs = Date.now();
  const age = (appendedMs: number | undefined) =>
    appendedMs === undefined ? null : Math.max(0, nowMs - appendedMs);
  const last = new Map(checkpoints.last().map((one) => [one.host, one]));
  return register.hosts.map((host) => ({
    host,
    checkpoint: last.get(host)?.number ?? null,
    checkpoint_age_ms: age(last.get(host)?.appendedMs),
    heartbeat_age_ms: age(said.heartbeats.last.get(host)?.appendedMs),
  }));
}

async function verifyAll(log: KafkaLog, { keys, control, register }: Trusted) {
  const nowMs = Date.now();
  const signed = new Sorted<Signed>(nowMs);
  // First what is of all the rest: what a heartbeat names was among the checkpoints before, and
  // what a checkpoint is of was in the log of events.
  const said = await readHeartbeats(log, register);
  const checkpoints = await readCheckpoints(log, register, signed);
  for (const finding of checkpoints.finish(said.heartbeats.claims())) signed.add(finding, null);
  const heads = checkpoints.heads();
  const partitions = await log.partitions('bpf.events');
  const reports: Report[] = [];
  const found = new Sorted<InPartition>(nowMs);
  for (let partition = 0; partition < partitions; partition++) {
    const at = { partition, partitions };
    reports.push(await verifyPartition(log, at, { keys, control, heads, found }));
  }
  const unsigned = register.hosts.filter((host) => !checkpoints.hasSigned(host));
  return {
    ok: found.isGood && signed.isGood,
    report: sum(reports),
    controls_checked: control !== null,
    found,
    signed,
    totals: { ...checkpoints.totals, chains: heads.size, unsigned },
    hosts: linesOf(register, said, checkpoints),
    restarts: checkpoints.restarts(),
  };
}

/** Verifies a fleet's log against what its hosts have signed. Exit code 1: something is wrong. */
export async function verifyFleet(options: FleetOptions): Promise<void> {
  const { stateDir, logLevel: level } = configOf(options);
  const register = signersIn(stateDir);
  const { fleet, control } = openFleetKeysToVerify(stateDir);
  const logger = createLogger({ level, name: 'verify' });
  const keys = hostKeys({ stateDir, fleet, logger });
  const client = new KafkaClient(
    kafkaConfig(options, process.env, 'warden-verify'),
    null,
    IMPATIENT,
  );
  // Frames are in no transaction: an enricher's that is open must not hide them.
  const log = new KafkaLog(client, 'uncommitted');
  try {
    await learnSchemas(client);
    const verified = await verifyAll(log, { keys, control, register });
    printVerified(verified, options.json === true);
    process.exitCode = verified.ok ? EXIT.ok : EXIT.findings;
  } catch (error) {
    throw asCliError(error);
  } finally {
    await log.close();
  }
}
