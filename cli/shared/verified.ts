import { chainKey, type Finding, type Report } from '#chain';
import { safeText } from '#event';

/** Findings that are shown. */
export const FINDINGS_MAX = 20;

/** Says how far it is, on a terminal only. */
export function progress(what: string): (done: number, of: number) => void {
  let lastMs = 0;
  return (done, of) => {
    if (process.stderr.isTTY !== true || Date.now() - lastMs < 200) return;
    lastMs = Date.now();
    process.stderr.write(`\r${what}: ${done} of ${of}\x1b[K`);
    if (done >= of) process.stderr.write('\r\x1b[K');
  };
}

/** A record that is none: what it should have been is not known. */
export function damagedAt(offset: number, detail: string): Finding {
  return {
    offset,
    code: 'BAD_FRAME',
    host: null,
    incarnation: null,
    lane: 0,
    sequence: null,
    detail,
  };
}

/** What was counted, then a line for each finding. */
export function printReport(report: Report, findings: readonly Finding[]): void {
  const { frames, events, controls, chains, duplicates, bad } = report;
  const counted = `${events} events in ${frames} frames of ${chains} chains`;
  const what = `${counted}, ${controls} control records`;
  const good = bad === 0 && findings.length === 0;
  console.log(good ? `${what}: every link and MAC is right` : `${what}: something is wrong`);
  if (duplicates > 0) console.log(`${duplicates} events stand twice, equal both times`);
  for (const { offset, code, lane, sequence, detail, ...at } of findings) {
    const chain = at.host === null ? `lane ${lane}` : chainKey({ ...at, lane } as never);
    const where = `record ${offset}, ${chain}${sequence === null ? '' : `/${sequence}`}`;
    console.log(safeText(`${where}: ${code}: ${detail}`));
  }
}
