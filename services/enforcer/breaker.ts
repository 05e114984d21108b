/** How many may be lowered at once without an operator's word; from the policy. */
export interface BreakerLimits {
  /** That many principals, and hosts, never trip it. */
  readonly least: number;
  /** Of all principals known. */
  readonly sharePermille: number;
  /** Of all hosts known. */
  readonly hostsPermille: number;
  readonly withinMs: number;
}

/** Whom the limits are a share of. */
export interface Population {
  readonly principals: number;
  readonly hosts: number;
}

interface Lowered {
  readonly principal: string;
  readonly host: string;
  readonly atMs: number;
}

/** Lowerings that are remembered; older ones go first. */
const LOWERED_MAX = 100_000;

/**
 * Holds lowerings back when far more are lowered than any attack or mistake of single persons would
 * explain: a policy or a signal is wrong then. What is held back waits for an operator.
 */
export class Breaker {
  private readonly limits: BreakerLimits;
  private lowered: Lowered[] = [];

  constructor(limits: BreakerLimits) {
    this.limits = limits;
  }

  /** Whether this one may go on; then it counts. */
  async admits(
    principal: string,
    nowMs: number,
    population: () => Promise<Population>,
  ): Promise<boolean> {
    const { least, withinMs } = this.limits;
    this.lowered = this.lowered
      // A clock that was set back: what lies ahead of it counts from now.
      .map((one) => ({ ...one, atMs: Math.min(one.atMs, nowMs) }))
      .filter(({ atMs }) => nowMs - atMs < withinMs)
      .slice(-(LOWERED_MAX - 1));
    const one = { principal, host: principal.slice(principal.lastIndexOf('@') + 1), atMs: nowMs };
    const next = [...this.lowered, one];
    const principals = new Set(next.map((entry) => entry.principal)).size;
    const hosts = new Set(next.map((entry) => entry.host)).size;
    if (principals > least && this.isTooMuch({ principals, hosts }, await population()))
      return false;
    this.lowered = next;
    return true;
  }

  private isTooMuch({ principals, hosts }: Population, all: Population): boolean {
    const { least, sharePermille, hostsPermille } = this.limits;
    if (principals * 1000 > all.principals * sharePermille) return true;
    return hosts > least && hosts * 1000 > all.hosts * hostsPermille;
  }
}
