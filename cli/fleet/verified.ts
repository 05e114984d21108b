import type { ChainErrorCode, Finding, Report, Restart, SignedFinding } from '#chain';
import { safeText } from '#event';
import { FINDINGS_MAX, type Findings, lineOf, printCounted } from '../shared/verified.ts';

export interface Found {
  readonly code: ChainErrorCode;
}

/** Findings by what they mean. */
export interface FoundIn<T extends Found> {
  /** Signed or sealed, and not there, or not as it was. */
  readonly missing: Findings<T>;
  /** Written by somebody who has no key for it, within a day and before. */
  readonly forged: { readonly recent: Findings<T>; readonly older: Findings<T> };
}

/** How far a host's word goes; null: there is none. */
export interface HostLine {
  readonly host: string;
  readonly checkpoint: number | null;
  readonly checkpoint_age_ms: number | null;
  readonly heartbeat_age_ms: number | null;
}

/** What `verify --kafka` says of a fleet. */
export interface Verified {
  readonly ok: boolean;
  readonly report: Report;
  /** Control records were looked into: their key was there. */
  readonly controls_checked: boolean;
  readonly found: FoundIn<Finding & { readonly partition: number }>;
  readonly signed: FoundIn<SignedFinding>;
  readonly totals: {
    readonly records: number;
    readonly good: number;
    readonly bad: number;
    readonly chains: number;
    readonly unsigned: readonly string[];
  };
  readonly hosts: readonly HostLine[];
  readonly restarts: readonly Restart[];
}

const inPartition = ({ partition, ...finding }: Finding & { readonly partition: number }) =>
  `partition ${partition}, ${lineOf(finding)}`;

function ofCheckpoint({ offset, key, code, detail }: SignedFinding): string {
  const what = offset === null ? 'checkpoints' : `checkpoint ${offset}`;
  return `${what} of ${key}: ${code}: ${detail}`;
}

const ago = (ageMs: number | null) =>
  ageMs === null ? 'none' : `${Math.round(ageMs / 1000)} s ago`;

function printHosts({ totals, hosts, restarts }: Verified): void {
  const { good, records, chains, unsigned } = totals;
  console.log(`${good} of ${records} checkpoints are signed right, over ${chains} chains`);
  for (const { host, checkpoint, ...age } of hosts) {
    if (checkpoint === null) continue;
    const last = `checkpoint ${checkpoint}, ${ago(age.checkpoint_age_ms)}`;
    console.log(safeText(`${host}: ${last}; last heartbeat: ${ago(age.heartbeat_age_ms)}`));
  }
  if (unsigned.length > 0) {
    const more =
      unsigned.length > FINDINGS_MAX ? ` and ${unsigned.length - FINDINGS_MAX} more` : '';
    console.log(safeText(`no checkpoint: ${unsigned.slice(0, FINDINGS_MAX).join(', ')}${more}`));
  }
  for (const { host, offset, before } of restarts.slice(0, FINDINGS_MAX)) {
    const what = `a new local log, after checkpoint ${before} of the one before`;
    console.log(safeText(`note: checkpoint ${offset} of ${host}: ${what}`));
  }
  const more = restarts.length - FINDINGS_MAX;
  if (more > 0) console.log(`note: ${more} more new local logs`);
}

/** What is missing comes first, and is cut by nothing that somebody has written. */
export function printVerified(verified: Verified, json: boolean): void {
  const { ok, report, found, signed, totals, hosts, restarts } = verified;
  if (json) {
    const checkpoints = { ...totals, missing: signed.missing, forged: signed.forged };
    const { missing, forged } = found;
    const { controls_checked } = verified;
    const said = { ok, report, controls_checked, missing, forged, checkpoints, hosts, restarts };
    console.log(JSON.stringify({ schema: 'warden.verify-fleet/1', ...said }));
    return;
  }
  printCounted(report, ok, verified.controls_checked);
  signed.missing.print(ofCheckpoint);
  found.missing.print(inPartition);
  printHosts(verified);
  signed.forged.recent.print(ofCheckpoint);
  found.forged.recent.print(inPartition);
  const older = signed.forged.older.count + found.forged.older.count;
  if (older > 0) console.log(`forged more than a day ago, ${older}:`);
  signed.forged.older.print(ofCheckpoint);
  found.forged.older.print(inPartition);
}
