import { Histogram } from '#telemetry';

/** What an enforcer counts for those who watch: its owner hands it from one to the next. */
export class Measures {
  /** Changes of a subject in the kernel's map. */
  changes = 0;
  /** Records of `bpf.tiers` that changed nothing: one as new, or newer, is known. */
  older = 0;
  /** Principals that this host holds, by tier: those that deviate from their default. */
  readonly tiers = new Map<string, number>();
  /** From the act that moved a tier to the kernel's map, seconds. */
  readonly latency = new Histogram();
  /** From the log's record of a tier to the kernel's map, seconds. */
  readonly following = new Histogram();

  countTiers(held: Iterable<{ readonly tier: string }>): void {
    this.tiers.clear();
    for (const { tier } of held) this.tiers.set(tier, (this.tiers.get(tier) ?? 0) + 1);
  }
}
