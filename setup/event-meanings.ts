import type { SystemCommand } from '#event';

/** What the system says of itself, for `docs/reference/events.md`. */
interface Meaning {
  readonly what: string;
  /** Empty: no event of this kind is written by this build. */
  readonly details: string;
}

const NOT_WRITTEN: Meaning = { what: 'not written by this build', details: '' };

export const COMMANDS: Readonly<Record<SystemCommand, Meaning>> = {
  LOSS: {
    what: 'acts are missing here. `act.count` says how many when a ring overflowed',
    details:
      '`ring` (`deny`, `object`, `bulk`; `skipped`: the kernel ran no program for at most ' +
      '`count` calls), `count`, `after_position`, `before_position`. When sequences are missing ' +
      'that nobody declared: `declared` `false`, `code` `SEQUENCE_GAP`, `found`, `offset`, `lane`',
  },
  CHECKPOINT: NOT_WRITTEN,
  TIER: NOT_WRITTEN,
  ENFORCED: {
    what: "the enforcer changed a subject's tier in the kernel",
    details:
      '`subject` (`auid:`, `loader:` or `uid:` and its number), `before` and `after` (a tier, or ' +
      '`default`), `revision`, `effect` (`not enforceable here` in mode `audit`); where a tier ' +
      'is set also `for_principal`, `cause` (id of the event or control record), `latency_ms`',
  },
  REFLEX: {
    what: 'the guard lowered a subject by itself, at once, because of a refusal',
    details: '`subject`, `rule` that refused, `boot_id` and `boot_ns` of the act',
  },
  OVERRIDE: {
    what:
      'what an operator said was folded, or why it was not; what warden-load gave in the kernel, ' +
      'took back, or a token that it refused',
    details:
      '`verb`, `for_principal`, `subject`, `author`, `reason`, `ticket`, `id`, `tier`, ' +
      '`commands`, ' +
      '`until`, `effect`, `latency_ms`',
  },
  POLICY: {
    what: 'another policy is in force than when the services last ran',
    details: '`before`, `after` (SHA-256), `policy_mode`, `stage`',
  },
  BREAKER: {
    what: 'a lowering that is held back: more were lowered at once than the policy allows',
    details: '`for_principal`, `stays`, `held_back`, `cause`, `limit`, `next`',
  },
  DRIFT: {
    what: 'an object is live that no act in the log made. Also in `program`, `map` or `link`',
    details: '`kind`, `id`, `type`, `name`, `loaded_by_uid` where the kernel knows it, `reason`',
  },
  INVENTORY: {
    what: 'an object was there before us: once each, when an incarnation begins',
    details: '`kind`, `id`, `type`, `name`, `loaded_by_uid` where the kernel knows it',
  },
  FORK: {
    what: 'another event claims an id that is taken',
    details: '`found`, `code` `FORK`, `offset`, `lane`, `declared` `false`',
  },
  RING_TAMPER: {
    what: "a ring's positions, or a record in it, are not ours",
    details: '`ring`, `found`',
  },
  GUARD: {
    what: 'the guard does not run, is not held or found, or runs again; what was there before it',
    details:
      '`state` (`stopped`, `runs`, `unheard`: it runs, and nobody tells of it, `refused`: a ' +
      'policy of early boot, or one that services cannot read, `before`), `found`',
  },
  SEAL: {
    what: 'the guard was sealed or unsealed, or refused what needs a token while it is',
    details: '`state` (`sealed`, `unsealed`, `refused`), `found`',
  },
  LOADER: {
    what: "a loader's file changed since the policy was applied, and what comes of it",
    details:
      '`state` (`listed`: of another content that the policy lists; `kept` by `on_change`; ' +
      '`denied`; `ended`: was kept for its time; `gone`), `loader`, `path` (of a long one its ' +
      'end), `sha256`, `until` where it is kept for a time',
  },
  LOG_TAMPER: {
    what: 'a stored record is not authentic or cannot be read, and was left out of the fold',
    details: '`found`, `code`, `offset`, `lane`, `declared` `false`',
  },
  START: {
    what: 'the services started: the first event of each run',
    details:
      '`incarnation`, `new_incarnation`, `predecessor` (or `none`), `previous_end` (`clean`, ' +
      '`unclean`, `none`), `boot_id`, `version`, `policy` (its hash)',
  },
  STOP: { what: 'the services stopped in order', details: '`incarnation`' },
};
