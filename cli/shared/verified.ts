import {
  ChainError,
  type ChainErrorCode,
  chainKey,
  type Finding,
  type Report,
  type StoredFrame,
} from '#chain';
import { decode, safeText } from '#event';
import { isAuthentic } from '#fold';

/** Findings that are shown. */
export const FINDINGS_MAX = 20;

/** Says how far it is, on a terminal only. */
export function progress(what: string): (done: number, of: number) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (done, of) => {
    if (process.stderr.isTTY !== true || performance.now() - lastMs < 200) return;
    lastMs = performance.now();
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

/** Of control records, under the key that seals them. `here`: whether a lane belongs here. */
export function checkControl(
  key: Uint8Array,
  here: (lane: number) => boolean = () => true,
): (record: StoredFrame) => void {
  return ({ lane, value }) => {
    const control = decode('Control', value);
    const what = `control record ${control.id}`;
    if (!isAuthentic('Control', value, key)) throw new ChainError('BAD_MAC', what);
    if (control.lane === lane && here(lane)) return;
    throw new ChainError('WRONG_LANE', `${what} of lane ${control.lane}`);
  };
}

/** What was found of one kind: the first ones, and how many there are by code. */
export class Findings<T extends { readonly code: ChainErrorCode }> {
  private readonly found: T[] = [];
  private readonly codes = new Map<ChainErrorCode, number>();

  add(finding: T): void {
    const { code } = finding;
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (this.found.length < FINDINGS_MAX) this.found.push(finding);
  }

  get count(): number {
    return [...this.codes.values()].reduce((sum, count) => sum + count, 0);
  }

  toJSON() {
    const { count, found: findings } = this;
    return { count, codes: Object.fromEntries(this.codes), findings };
  }

  /** A line for each, then how many more there are. */
  print(lineOf: (finding: T) => string): void {
    for (const finding of this.found) console.log(safeText(lineOf(finding)));
    const more = this.count - this.found.length;
    if (more === 0) return;
    const codes = [...this.codes].map(([code, count]) => `${count} ${code}`);
    console.log(`and ${more} more; in all ${codes.join(', ')}`);
  }
}

/** What was counted, and whether it is right. `checked`: control records were looked into. */
export function printCounted(report: Report, good: boolean, checked = true): void {
  const { frames, events, controls, chains, duplicates } = report;
  const counted = `${events} events in ${frames} frames of ${chains} chains`;
  const what = `${counted}, ${controls} control records`;
  const right = checked ? 'every link and MAC is right' : 'every link and MAC of a frame is right';
  const said = report.bad === 0 ? right : 'nothing is missing, something older is forged';
  console.log(`${what}: ${good ? said : 'something is wrong'}`);
  if (!checked) console.log('control records were not looked into: there is no control.key here');
  if (duplicates > 0) console.log(`${duplicates} events stand twice, equal both times`);
}

export function lineOf({ offset, code, lane, sequence, detail, ...at }: Finding): string {
  const chain = at.host === null ? `lane ${lane}` : chainKey({ ...at, lane } as never);
  const where = `record ${offset}, ${chain}${sequence === null ? '' : `/${sequence}`}`;
  return `${where}: ${code}: ${detail}`;
}

/** What was counted, then a line for each finding. */
export function printReport(report: Report, findings: readonly Finding[]): void {
  printCounted(report, report.bad === 0 && findings.length === 0);
  for (const finding of findings) console.log(safeText(lineOf(finding)));
}
