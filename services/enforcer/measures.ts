import { Histogram } from '#telemetry';

/** What an enforcer counts for those who watch: its owner hands it from one to the next. */
export class Measures {
  /** Changes of a subject in the kernel's map. */
  changes = 0;
  /** Records of `bpf.tiers` that changed nothing: one as new, or newer, is known. */
  older = 0;
  /** From the act that moved a tier to the kernel's map, seconds. */
  readonly latency = new Histogram();
}
