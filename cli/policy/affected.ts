import { type Enriched, type Event, GRANTED_COMMANDS } from '#event';
import { enforcing, Judge, type NamedAct, type Policy } from '#policy';
import type { Store } from '#state';
import { TIER_NAMES, type TierName } from '#trust';
import { actsSince } from './usage.ts';

/** Somebody who did what the new policy would not let them do. */
export interface Affected {
  readonly principal: string;

  /** `PROG_LOAD of KPROBE` */
  readonly what: string;
  /** The rule of the new policy. */
  readonly rule: string;
  readonly count: number;
}

/** An act of the log as a policy is asked for it; null for what is no bpf(2) command. */
function actOf({ act, program, map }: Event): NamedAct | null {
  if (!GRANTED_COMMANDS.includes(act.command)) return null;
  const isLoad = act.command === 'PROG_LOAD';
  const isMap = act.command === 'MAP_CREATE';
  return {
    command: act.command,
    ...(isLoad && program?.type != null && { program: program.type }),
    ...(isMap && map?.type != null && { map: map.type }),
    ...(isLoad && program !== null && { helpers: program.helpers, kfuncs: program.kfuncs }),
  };
}

/** What it used that is refused: the whole act, or the helpers of it. */
function spelled(act: NamedAct, rule: string): string {
  const what = `${act.command}${act.program === undefined ? '' : ` of ${act.program}`}`;
  if (act.map !== undefined) return `${act.command} of ${act.map}`;
  if (rule.endsWith('.helpers')) return `${what} that calls what the grant leaves out`;
  return what;
}

function tierOf({ tier }: Enriched): number {
  return Math.max(0, TIER_NAMES.indexOf((tier ?? 'standard') as TierName));
}

/**
 * Who did what the old policy allows and the new one does not, most often first. Each act is judged
 * again by both, at the tier that its principal had then, as if both enforced.
 */
export async function affectedBy(
  store: Store,
  { before, after }: { readonly before: Policy; readonly after: Policy },
  sinceMs: number,
): Promise<readonly Affected[]> {
  const [was, is] = [new Judge(enforcing(before)), new Judge(enforcing(after))];
  const found = new Map<string, Affected>();
  for await (const { enriched, event } of actsSince(store, sinceMs)) {
    const act = actOf(event);
    if (act === null || event.act.errno !== null) continue;
    const from = { tier: tierOf(enriched), loader: event.loader?.name ?? null };
    if (was.ask(act, from).decision !== 'allow') continue;
    const { decision, rule } = is.ask(act, from);
    if (decision === 'allow' || rule === null) continue;
    const { principal } = event;
    const what = spelled(act, rule);
    const key = `${principal} ${what}`;
    const count = (found.get(key)?.count ?? 0) + Math.max(1, event.act.count);
    found.set(key, { principal, what, rule, count });
  }
  return [...found.values()].toSorted((a, b) => b.count - a.count);
}
