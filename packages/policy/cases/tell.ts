import type { HostName, Override, PrincipalKey } from '#event';
import {
  type ActFacts,
  effectiveTier,
  type FoldOutcome,
  fold,
  initialState,
  type Model,
  pinOf,
  type Tier,
  type TrustRecord,
  type TrustState,
} from '#trust';
import { Judge, type Judged, type NamedAct } from '../judge.ts';
import { modelOf } from '../model.ts';
import { DIMENSIONS } from '../names.ts';
import type { Policy } from '../policy.ts';
import type { StepFile } from './file.ts';
import type { GoldenCase } from './parse.ts';
import { spanMs } from './times.ts';

/** A change of the tier that counts. */
export interface Change {
  readonly tMs: number;
  readonly from: Tier;
  readonly to: Tier;
  /** `S03`, `time`, `pardon`. */
  readonly why: string;
}

/** What came of a step. */
export interface Told {
  readonly judged: Judged | null;
  readonly raised: readonly string[];
  readonly refused: boolean;
}

const NOTHING: Told = { judged: null, raised: [], refused: false };
/** Of `rule` numbers, those of the loader begin here. */
const LOADER_RULES = 16;

/**
 * One principal's story under a policy: the fold of the product, its timers at their time, and the
 * decision of the guard at each act.
 */
export class Teller {
  readonly changes: Change[] = [];
  readonly model: Model;
  private readonly policy: Policy;
  private readonly judge: Judge;
  private readonly about: PrincipalKey;
  private readonly host: HostName;
  private held: TrustState;
  private controls = 0;
  private reflex: { readonly tier: number; readonly untilMs: number } | null = null;
  private readonly said = new Map<string, Override>();
  private readonly named = new Map<string, string>();

  constructor(policy: Policy, { about, host }: Pick<GoldenCase, 'about' | 'host'>) {
    this.policy = policy;
    this.judge = new Judge(policy);
    this.model = modelOf(policy);
    this.about = about;
    this.host = host;
    this.held = initialState(about, this.model);
  }

  get state(): TrustState {
    return this.held;
  }

  /** Runs timers off that are due by `tMs`. */
  advance(tMs: number): void {
    for (let { dueMs } = this.held; dueMs !== null && dueMs <= tMs; { dueMs } = this.held) {
      this.fold({ ...this.control(dueMs), kind: 'due' }, 'time');
      if (this.held.dueMs === dueMs) return;
    }
  }

  take(step: StepFile, tMs: number): Told {
    if (step.ask !== undefined) return { ...NOTHING, judged: this.ask(step, step.ask, tMs) };
    if (step.act !== undefined) return this.act(step, step.act, tMs);
    if (step.say !== undefined) return this.say(step, tMs);
    if (step.risk !== undefined) return this.report(step.risk, tMs);
    return NOTHING;
  }

  private control(appendedMs: number) {
    this.controls += 1;
    const id = `case-${this.controls}`;
    return { type: 'control', id, principal: this.about, appendedMs } as const;
  }

  private fold(record: TrustRecord, why: string): FoldOutcome {
    const from = effectiveTier(this.held);
    const { state, outcome } = fold(this.held, record, this.model);
    this.held = state;
    const to = effectiveTier(state);
    if (to !== from) this.changes.push({ tMs: state.tMs, from, to, why });
    return outcome;
  }

  /** Who acts for itself does it through its own loader. */
  private loaderOf({ loader, path }: StepFile): string | null {
    if (loader !== undefined || path !== undefined) return loader ?? null;
    const name = this.about.slice(0, this.about.lastIndexOf('@'));
    return this.policy.loaders.some((one) => one.name === name) ? name : null;
  }

  private ask(step: StepFile, command: string, tMs: number): Judged {
    const act: NamedAct = {
      command,
      ...(step.program !== undefined && { program: step.program }),
      ...(step.map !== undefined && { map: step.map }),
      ...(step.attach !== undefined && { attach: step.attach }),
      ...(step.helpers !== undefined && { helpers: step.helpers }),
      ...(step.kfuncs !== undefined && { kfuncs: step.kfuncs }),
      foreign: step.owner !== undefined && step.owner !== this.about,
    };
    const tier = this.tierFor(command, step.host ?? this.host, tMs);
    const judged = this.judge.ask(act, { tier, loader: this.loaderOf(step) });
    const observed = this.held.overrides.some(({ kind }) => kind === 'observe');
    return observed && judged.decision === 'deny' ? { ...judged, decision: 'would_deny' } : judged;
  }

  /** As the kernel: break-glass, else the tier that counts, cut by a reflex down to the floor. */
  private tierFor(command: string, host: string, tMs: number): number {
    const isOpen = this.held.overrides.some(({ id, kind }) => {
      const { commands = [], hosts = [] } = this.said.get(id) ?? {};
      const fits = (list: readonly string[], one: string) =>
        list.length === 0 || list.includes(one);
      return kind === 'break_glass' && fits(commands, command) && fits(hosts, host);
    });
    if (isOpen) return 4;
    const tier = effectiveTier(this.held);
    if (this.reflex === null || tMs >= this.reflex.untilMs) return tier;
    const pin = pinOf(this.held);
    const floor = pin === null || pin.raises ? this.held.floor : 0;
    return Math.max(floor, Math.min(tier, this.reflex.tier));
  }

  private act(step: StepFile, command: string, tMs: number): Told {
    const isSystem = this.about.startsWith('host:');
    const judged = isSystem ? null : this.ask(step, command, tMs);
    if (judged?.decision === 'deny') this.strike(judged.number, tMs);
    const facts = this.factsOf(step, command, judged);
    const record: TrustRecord = { type: 'act', eventTimeMs: tMs, appendedMs: tMs, facts };
    const from = this.changes.length;
    const { signals } = this.fold(record, command);
    const raised = signals.map(({ id }) => id);
    const [change] = this.changes.slice(from);
    if (change !== undefined && raised.length > 0) {
      this.changes[from] = { ...change, why: raised.join(' ') };
    }
    return { judged, raised, refused: false };
  }

  /** The services acknowledge a reflex at once: here nothing keeps them. */
  private strike(rule: number, tMs: number): void {
    const on = DIMENSIONS[(rule % LOADER_RULES) - 1];
    const reflex = this.policy.reflex.find((one) => one.on === on);
    if (reflex !== undefined) this.reflex = { tier: reflex.tier, untilMs: tMs + reflex.forMs };
  }

  private factsOf(step: StepFile, command: string, judged: Judged | null): ActFacts {
    const loader = this.loaderOf(step);
    const known = this.policy.loaders.find(({ name }) => name === loader);
    const denied = judged?.decision === 'deny';
    return {
      auidStatus: step.login ?? (this.about.startsWith('uid:') ? 'counts' : 'unset'),
      command,
      count: step.count ?? 1,
      decision: judged?.decision ?? 'allow',
      declared: step.declared ?? true,
      denied,
      errno: denied ? 'EPERM' : (step.errno ?? null),
      exePath: known?.path ?? step.path ?? null,
      helpers: step.helpers ?? [],
      host: (step.host ?? this.host) as HostName,
      initUserns: step.userns !== 'other',
      loader,
      objectOwner: step.owner ?? null,
      places: step.places ?? [],
      principal: this.about,
      programType: step.program ?? null,
      programSha256: step.sha256 ?? null,
      rule: judged?.rule ?? null,
    };
  }

  private say(step: StepFile, tMs: number): Told {
    const record = this.control(tMs);
    const override = this.overrideOf(step, tMs);
    this.said.set(override.id, override);
    if (step.as !== undefined) this.named.set(step.as, override.id);
    const said = { ...record, kind: 'override', override } as const;
    const { refused } = this.fold(said, override.verb);
    return { ...NOTHING, refused: refused !== null };
  }

  private overrideOf(step: StepFile, tMs: number): Override {
    const { say = 'pardon', factor, lifts } = step;
    return {
      id: this.controls.toString(16).padStart(16, '0'),
      verb: say,
      principal: this.about,
      author: step.by ?? 'case',
      reason: step.reason ?? 'case',
      ticket: null,
      timeMs: tMs,
      untilMs: step.for === undefined ? null : tMs + spanMs(step.for),
      signals: step.signals ?? [],
      tier: step.tier ?? null,
      incident: step.incident ?? false,
      now: step.now ?? false,
      permille: factor === undefined ? null : Math.round(factor * 1000),
      hosts: step.hosts ?? [],
      commands: step.commands ?? [],
      fromMs: null,
      toMs: null,
      label: null,
      lifts: lifts === undefined ? null : (this.named.get(lifts) ?? null),
      mac: new Uint8Array(),
    };
  }

  private report(risk: string, tMs: number): Told {
    const permille = Number(risk.slice(0, -1)) * 10;
    const record = this.control(tMs);
    const { signals } = this.fold({ ...record, kind: 'external', permille }, 'S18');
    return { ...NOTHING, raised: signals.map(({ id }) => id) };
  }
}
