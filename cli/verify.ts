import type { Command } from 'commander';
import { type Finding, type Head, Verifier } from '#chain';
import { hostIdentity, openKeys } from '#config';
import { safeText } from '#event';
import { compareStates, FOLD_POSITION, type OpenKeys, parseMark, replay } from '#fold';
import { readPast } from '#log';
import { type Snapshot, type Space, type Store, scanAll } from '#state';
import type { FleetOptions } from './fleet/options.ts';
import { EXIT } from './shared/exit.ts';
import { configOf, openLog } from './shared/open.ts';
import { checkControl, damagedAt, FINDINGS_MAX, printReport, progress } from './shared/verified.ts';

const PARTITION = { topic: 'bpf.events', partition: 0 } as const;

/** Where the fold stood: a log that ends before it was cut off. */
async function foldedHeads(store: Store): Promise<Map<string, Head>> {
  const heads = new Map<string, Head>();
  for await (const { lane, key, value } of scanAll(store, 'mark')) {
    heads.set(`${key}/${lane}`, parseMark(value));
  }
  return heads;
}

/** Where the chains stood at the oldest snapshot, behind which the log may have been trimmed. */
async function snapshotHeads(store: Store): Promise<Map<string, Head>> {
  const heads = new Map<string, Head>();
  const [oldest] = await store.snapshots();
  if (oldest === undefined || (await store.log.start(PARTITION)) < oldest.next) return heads;
  let after: { space: Space; lane: number; key: string } | undefined;
  for (;;) {
    const page = await store.snapshotEntries(oldest.id, { limit: 1000, ...(after && { after }) });
    for (const { space, lane, key, value } of page) {
      if (space === 'mark') heads.set(`${key}/${lane}`, parseMark(value));
    }
    after = page.at(-1);
    if (after === undefined) return heads;
  }
}

/** Every link of every chain, each record's MAC. */
async function verifyChains(store: Store, keys: OpenKeys) {
  const start = await store.log.start(PARTITION);
  const heads = await snapshotHeads(store);
  const verifier = new Verifier({
    keyOf: (name) => keys.hostKeyOf(name, 0),
    checkControl: checkControl(keys.control),
    heads,
  });
  const findings: Finding[] = [];
  const end = await store.log.end(PARTITION);
  const tell = progress('records verified');
  for (let next = start; next < end; ) {
    const past = await readPast(store.log, PARTITION, next);
    for (const record of past.records) {
      const finding = verifier.add(record);
      if (finding !== null) findings.push(finding);
    }
    if (past.damaged !== null) findings.push(damagedAt(past.next - 1, past.damaged.message));
    next = past.next;
    tell(next, end);
  }
  findings.push(...verifier.finish(await foldedHeads(store), end));
  const real = findings.filter(({ code }) => code !== 'DUPLICATE');
  return { report: verifier.report(), findings: real.slice(0, FINDINGS_MAX) };
}

/** Folds again from the oldest snapshot, and compares every byte of state. */
async function verifyState(store: Store, keys: OpenKeys) {
  const snapshot: Snapshot | null = (await store.snapshots()).at(0) ?? null;
  const end = Number((await store.position(FOLD_POSITION)) ?? 0n);
  const tell = progress('records folded again');
  const memory = await replay(store, { snapshot, keys, onProgress: (next) => tell(next, end) });
  return { from: snapshot?.next ?? 0, differences: await compareStates(store, memory) };
}

interface VerifyOptions extends FleetOptions {
  readonly replay: boolean;
}

async function verify(options: VerifyOptions): Promise<void> {
  if (options.kafka !== undefined) {
    const { verifyFleet } = await import('./fleet/verify.ts');
    await verifyFleet(options);
    return;
  }
  const config = configOf(options);
  const store = await openLog(config);
  const { host: hostKey, control } = openKeys(config.stateDir, { create: [] });
  const host = hostIdentity(process.env);
  const keys = { hostKeyOf: (name: string) => (name === host ? hostKey : null), control };
  try {
    const { report, findings } = await verifyChains(store, keys);
    // A log that is wrong can't be folded again to the same state: that would say nothing more.
    const state = options.replay && findings.length === 0 ? await verifyState(store, keys) : null;
    const good = findings.length === 0 && (state?.differences.length ?? 0) === 0;
    if (config.json) {
      const differences = state?.differences ?? null;
      console.log(
        JSON.stringify({ schema: 'warden.verify/1', ok: good, report, findings, differences }),
      );
    } else {
      printReport(report, findings);
      if (state !== null) printState(state);
    }
    process.exitCode = good ? EXIT.ok : EXIT.findings;
  } finally {
    await store.close();
  }
}

function printState(state: Awaited<ReturnType<typeof verifyState>>): void {
  if (state.differences.length === 0) {
    console.log(`folded again from record ${state.from}: every byte of the state is the same`);
    return;
  }
  for (const { space, lane, key } of state.differences) {
    console.log(safeText(`state differs: ${space}, lane ${lane}, ${key}`));
  }
}

export function verifyVerb(program: Command): void {
  program
    .command('verify')
    .description('recompute every link and MAC of the log, and fold it again: is anything changed?')
    .option('--no-replay', 'only the chains, not the fold')
    .option(
      '--json',
      'one object, as JSON (schema warden.verify/1; of a fleet warden.verify-fleet/1)',
    )
    .option('--state <dir>', 'directory of the log (WARDEN_STATE)')
    .option('--kafka <addresses>', "a fleet's log instead, on these brokers: HOST:PORT,…")
    .option('--fleet <name>', 'one of several fleets on the same brokers (WARDEN_FLEET)')
    .addHelpText(
      'after',
      "\nOf a fleet's log: every chain, every checkpoint's signature, and whether all is there\n" +
        'that hosts have signed: up to the checkpoint that their last heartbeat names, without\n' +
        'a number missing. The directory is that of fleet.key, hosts.json and signers.json;\n' +
        'with control.key in it control records are looked into as well.\n' +
        '\nExample:\n  $ sudo ./warden verify\n' +
        '  $ ./warden verify --kafka kafka-1:9092 --state /etc/warden/fleet\n' +
        "\nExit code 1: something is wrong. Of a fleet's log: something signed is missing or\n" +
        'another, or something forged was appended within the last 24 hours; older ones are\n' +
        'only listed.',
    )
    .action(verify);
}
