import type { Command } from 'commander';

type Verb = (program: Command) => void;

/** In the order in which help lists them. Loaded when asked for: most load a lot. */
export const VERBS: ReadonlyMap<string, () => Promise<Verb>> = new Map([
  ['up', async () => (await import('./up.ts')).upVerb],
  ['tail', async () => (await import('./tail.ts')).tailVerb],
  ['doctor', async () => (await import('./doctor.ts')).doctorVerb],
  ['trust', async () => (await import('./trust.ts')).trustVerb],
  ['explain', async () => (await import('./explain.ts')).explainVerb],
  ['policy', async () => (await import('./policy.ts')).policyVerb],
  ['pardon', async () => (await import('./pardon.ts')).pardonVerb],
  ['pin', async () => (await import('./pin.ts')).pinVerb],
  ['break-glass', async () => (await import('./break-glass.ts')).breakGlassVerb],
  ['token', async () => (await import('./token.ts')).tokenVerb],
  ['observe', async () => (await import('./observe.ts')).observeVerb],
  ['adjust', async () => (await import('./adjust.ts')).adjustVerb],
  ['label', async () => (await import('./label.ts')).labelVerb],
  ['lift', async () => (await import('./lift.ts')).liftVerb],
  ['breaker', async () => (await import('./breaker.ts')).breakerVerb],
  ['risk', async () => (await import('./risk.ts')).riskVerb],
  ['backtest', async () => (await import('./backtest.ts')).backtestVerb],
  ['whatif', async () => (await import('./whatif.ts')).whatifVerb],
  ['sweep', async () => (await import('./sweep.ts')).sweepVerb],
  ['progs', async () => (await import('./progs.ts')).progsVerb],
  ['maps', async () => (await import('./maps.ts')).mapsVerb],
  ['links', async () => (await import('./links.ts')).linksVerb],
  ['verify', async () => (await import('./verify.ts')).verifyVerb],
  ['collector', async () => (await import('./collector.ts')).collectorVerb],
  ['enricher', async () => (await import('./enricher.ts')).enricherVerb],
  ['host', async () => (await import('./host.ts')).hostVerb],
  ['topics', async () => (await import('./topics.ts')).topicsVerb],
  ['lab', async () => (await import('./lab.ts')).labVerb],
]);
