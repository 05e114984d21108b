import { decode, EventError, type Records } from '#event';
import {
  controlOutput,
  externalControl,
  type Fault,
  isAuthentic,
  type OpenKeys,
  overrideControl,
  seal,
} from '#fold';
import { type LogRecord, type Output, readPast, type Topic } from '#log';
import type { FoldStore } from '#state';

export interface IntakeOptions {
  readonly store: FoldStore;
  readonly partition: number;
  readonly keys: OpenKeys;
  readonly onFault: (fault: Fault) => void;
  readonly now: () => number;
}

const TOPICS = ['bpf.overrides', 'bpf.external'] as const;
type Source = (typeof TOPICS)[number] & Topic;

/**
 * Brings what operators and other systems said into the lanes of their principals: a control record
 * each, in the same commit as the position behind it, so none is lost and none is there twice.
 */
export class Intake {
  private readonly options: IntakeOptions;
  private readonly next: Record<Source, number> = { 'bpf.overrides': 0, 'bpf.external': 0 };

  constructor(options: IntakeOptions) {
    this.options = options;
  }

  async restore(): Promise<void> {
    for (const topic of TOPICS) {
      const { store, partition } = this.options;
      const position = await store.position(this.positionOf(topic));
      this.next[topic] = Number(position ?? (await store.log.start({ topic, partition })));
    }
  }

  get places(): { topic: Source; partition: number; from: number }[] {
    const { partition } = this.options;
    return TOPICS.map((topic) => ({ topic, partition, from: this.next[topic] }));
  }

  async step(): Promise<void> {
    for (const topic of TOPICS) await this.take(topic);
  }

  private async take(topic: Source): Promise<void> {
    const { store, onFault, partition } = this.options;
    const source = { topic, partition };
    const { records, damaged, next } = await readPast(store.log, source, this.next[topic]);
    if (records.length === 0 && damaged === null) return;
    const faults: Fault[] = [];
    const outputs: Output[] = [];
    for (const record of records) {
      const taken = this.controlOf(topic, record);
      if ('why' in taken) faults.push(taken);
      else outputs.push(taken);
    }
    const position = [{ source: this.positionOf(topic), next: BigInt(next) }];
    await store.commit({ outputs, state: [], position });
    this.next[topic] = next;
    if (damaged !== null) {
      onFault({ offset: next - 1, lane: 0, code: damaged.code, why: damaged.message });
    }
    for (const fault of faults) onFault(fault);
  }

  private positionOf(topic: Source): string {
    return `enricher/${topic}/${this.options.partition}`;
  }

  private controlOf(topic: Source, record: LogRecord): Output | Fault {
    const { keys, now } = this.options;
    const { offset, lane, value } = record;
    try {
      const control =
        topic === 'bpf.overrides'
          ? overrideControl(authentic('Override', value, keys), now())
          : externalControl(authentic('External', value, keys), now());
      return controlOutput(seal('Control', control, keys.control));
    } catch (error) {
      if (!(error instanceof EventError)) throw error;
      return { offset, lane, code: error.code, why: `${topic}: ${error.message}` };
    }
  }
}

/** Throws `EventError` BAD_VALUE: whoever wrote it does not hold the control key. */
function authentic<N extends 'Override' | 'External'>(
  name: N,
  value: Uint8Array,
  { control }: OpenKeys,
): Records[N] {
  const record = decode(name, value);
  if (isAuthentic(name, value, control)) return record;
  throw new EventError('BAD_VALUE', `${name} ${record.id} has a wrong MAC`);
}
