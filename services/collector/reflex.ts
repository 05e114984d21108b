import type { KernelAct } from '#bpf';
import type { Event } from '#event';
import { systemEvent } from './losses.ts';

const KINDS: Readonly<Record<number, string>> = { 1: 'auid', 2: 'loader', 3: 'uid' };

/**
 * Says in the principal's own lane that the kernel has lowered its subject. The fold answers with a
 * tier record, which the enforcer takes as the acknowledgement: only then the reflex's time runs.
 */
export function reflexEvent(act: KernelAct, event: Event, bootId: string): Event {
  const { kind, id } = act.subject;
  return systemEvent({
    command: 'REFLEX',
    principal: event.principal,
    timeUs: event.timeUs,
    mode: event.verdict.mode as Parameters<typeof systemEvent>[0]['mode'],
    details: {
      boot_id: bootId,
      boot_ns: act.bootNs.toString(),
      subject: `${KINDS[kind] ?? kind}:${id}`,
      rule: event.verdict.rule ?? '',
    },
  });
}
