import {
  ChainError,
  Checkpoints,
  type Finding,
  type KnownHead,
  type Report,
  type SignedFinding,
  type StoredFrame,
  Verifier,
} from '#chain';
import { kafkaConfig, openFleetKeys, type SignerRegister } from '#config';
import { safeText } from '#event';
import { type OpenKeys, openByAny } from '#fold';
import { fleetContract, IMPATIENT, KafkaClient, KafkaLog, partitionOf } from '#log/kafka';
import { createLogger } from '#telemetry';
import { EXIT } from '../shared/exit.ts';
import { configOf } from '../shared/open.ts';
import { damagedAt, FINDINGS_MAX, printReport, progress } from '../shared/verified.ts';
import { hostKeys } from './host-keys.ts';
import { signersIn } from './hosts.ts';
import type { FleetOptions } from './options.ts';
import { asCliError } from './serve.ts';
import { recordsOf } from './topic.ts';

/** A checkpoint reaches the brokers so much later than what it is of, at most. */
const LATE_MS = 3_600_000;

/** Since when `bpf.events` must be whole: what is older may have been deleted in its time. */
function keptSinceMs(nowMs: number): number {
  const events = fleetContract().topics.find(({ topic }) => topic === 'bpf.events');
  return nowMs - Number(events?.settings['retention.ms'] ?? 0) + LATE_MS;
}

async function readCheckpoints(log: KafkaLog, register: SignerRegister) {
  const checkpoints = new Checkpoints({
    signersOf: (host, appendedMs) => register.validAt(host, appendedMs),
    hosts: () => register.hosts,
    keptSinceMs: keptSinceMs(Date.now()),
  });
  const findings: SignedFinding[] = [];
  for await (const record of recordsOf(log, 'bpf.checkpoints')) {
    const finding = checkpoints.add(record);
    if (finding !== null && findings.length < FINDINGS_MAX) findings.push(finding);
  }
  return { checkpoints, findings };
}

interface Partition {
  readonly partition: number;
  readonly partitions: number;
}

/** Opens a frame where its lane belongs, under the key that was its host's then. */
function opener(keys: OpenKeys, { partition, partitions }: Partition) {
  return (record: StoredFrame & { readonly appendedMs: number }) => {
    const frame = openByAny(record, keys);
    if (partitionOf(frame.lane, partitions) === partition) return frame;
    throw new ChainError('WRONG_LANE', `frame of lane ${frame.lane} in partition ${partition}`);
  };
}

/** The chains of a partition, and those of them that should be there. */
async function verifyPartition(
  log: KafkaLog,
  keys: OpenKeys,
  at: Partition,
  heads: ReadonlyMap<string, KnownHead>,
) {
  const place = { topic: 'bpf.events', partition: at.partition } as const;
  const isTrimmed = (await log.start(place)) > 0;
  const verifier = new Verifier({
    keyOf: () => null,
    open: opener(keys, at) as (record: StoredFrame) => ReturnType<typeof openByAny>,
    unanchored: isTrimmed ? 'accept' : 'refuse',
  });
  const findings: Finding[] = [];
  const end = await log.end(place);
  const tell = progress(`partition ${at.partition}`);
  const note = (finding: Finding | null) => {
    // A host that does not know whether a batch arrived sends it again.
    if (finding === null || finding.code === 'DUPLICATE') return;
    if (findings.length < FINDINGS_MAX) findings.push(finding);
  };
  for await (const { value, ...record } of recordsOf(log, 'bpf.events', at.partition)) {
    const { offset } = record;
    note(
      value === null
        ? damagedAt(offset, 'a record without a value')
        : verifier.add({ ...record, value }),
    );
    tell(offset + 1, end);
  }
  for (const finding of verifier.finish(heads, end)) note(finding);
  return { report: verifier.report(), findings };
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

async function verifyAll(log: KafkaLog, keys: OpenKeys, register: SignerRegister) {
  // First what was signed: all of that was in the log of events before.
  const { checkpoints, findings: forged } = await readCheckpoints(log, register);
  const heads = checkpoints.heads();
  const partitions = await log.partitions('bpf.events');
  const reports: Report[] = [];
  const findings: (Finding & { readonly partition: number })[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const at = { partition, partitions };
    const one = await verifyPartition(log, keys, at, headsIn(heads, at));
    reports.push(one.report);
    findings.push(...one.findings.map((finding) => ({ partition, ...finding })));
  }
  const { totals } = checkpoints;
  const unsigned = register.hosts.filter((host) => !checkpoints.hasSigned(host));
  const signed = { ...totals, chains: heads.size, unsigned, findings: forged };
  return { report: sum(reports), findings: findings.slice(0, FINDINGS_MAX), signed };
}

type Verified = Awaited<ReturnType<typeof verifyAll>>;

function print({ report, findings, signed }: Verified): void {
  printReport(report, findings);
  const { good, records, chains, unsigned } = signed;
  console.log(`${good} of ${records} checkpoints are signed right, over ${chains} chains`);
  if (unsigned.length > 0) {
    console.log(safeText(`no checkpoint: ${unsigned.slice(0, FINDINGS_MAX).join(', ')}`));
  }
  for (const { offset, code, key, detail } of signed.findings) {
    console.log(safeText(`checkpoint ${offset} of ${key}: ${code}: ${detail}`));
  }
}

/** Verifies a fleet's log against what its hosts have signed. Exit code 1: something is wrong. */
export async function verifyFleet(options: FleetOptions): Promise<void> {
  const { stateDir, logLevel: level } = configOf(options);
  const register = signersIn(stateDir);
  const { fleet, control } = openFleetKeys(stateDir, { create: false });
  const logger = createLogger({ level, name: 'verify' });
  const keys = { ...hostKeys({ stateDir, fleet, logger }, () => Date.now()), control };
  const settings = kafkaConfig(options, process.env, 'warden-verify');
  // Frames are in no transaction: an enricher's that is open must not hide them.
  const log = new KafkaLog(new KafkaClient(settings, null, IMPATIENT), 'uncommitted');
  try {
    const verified = await verifyAll(log, keys, register);
    const { report, findings, signed } = verified;
    const ok = report.bad === 0 && findings.length === 0 && signed.bad === 0;
    if (options.json === true) {
      const said = { ok, report, findings, checkpoints: signed };
      console.log(JSON.stringify({ schema: 'warden.verify-fleet/1', ...said }));
    } else print(verified);
    process.exitCode = ok ? EXIT.ok : EXIT.findings;
  } catch (error) {
    throw asCliError(error);
  } finally {
    await log.close();
  }
}
