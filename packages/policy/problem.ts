import { safeText } from '#event';

/**
 * The closed list of what can be wrong with a policy.
 *
 * | code | meaning |
 * |---|---|
 * | YAML | not YAML, or a part of it that policies don't have: aliases, tags, documents |
 * | TOO_LARGE | more bytes, nesting or entries than the limit |
 * | UNKNOWN_KEY | a key that does not exist |
 * | NOT_IN_THIS_BUILD | a key or value that a later version will honour |
 * | MISSING | a key that is needed |
 * | WRONG_TYPE | a list where a text belongs, and the like |
 * | BAD_VALUE | of the right type, but not of the right form or out of range |
 * | UNKNOWN_NAME | no such command, type, grant, loader, realm or signal |
 * | DUPLICATE | the same key or name twice, or ranges that overlap |
 * | UNUSED | something that would have no effect |
 * | NOISE_FLOOR | lint L3: low-confidence signals alone would reach an enforcing tier |
 * | MARGIN | lint L12: recovery to the best tier would take for ever |
 * | CRITICAL_SIGNAL | a signal that alone must lower a tier no longer does |
 * | UNREACHABLE | a tier or a grant that nobody ever gets |
 * | NO_CASE | a rule that refuses, without a golden case |
 * | LOCKOUT | would refuse what our own agent or PID 1 needs |
 * | WEAK | a loader known by its path only, with a wide grant |
 */
export type ProblemCode =
  | 'YAML'
  | 'TOO_LARGE'
  | 'UNKNOWN_KEY'
  | 'NOT_IN_THIS_BUILD'
  | 'MISSING'
  | 'WRONG_TYPE'
  | 'BAD_VALUE'
  | 'UNKNOWN_NAME'
  | 'DUPLICATE'
  | 'UNUSED'
  | 'NOISE_FLOOR'
  | 'MARGIN'
  | 'CRITICAL_SIGNAL'
  | 'UNREACHABLE'
  | 'NO_CASE'
  | 'LOCKOUT'
  | 'WEAK';

export interface Problem {
  readonly code: ProblemCode;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** `loaders[2].match.path`; empty for the whole file. */
  readonly path: string;
  /** What is wrong. */
  readonly message: string;
  /** What belongs there. */
  readonly expected: string | null;
  /** The valid name that is most like the one given. */
  readonly nearest: string | null;
}

/** A policy that should have been checked before is not valid. */
export class PolicyError extends Error {
  readonly code = 'BAD_POLICY';
  readonly retriable = false;
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'PolicyError';
    this.problems = problems;
  }
}

/** `policy.yaml:12:7: loaders[2].kind: "logn" is not known; expected ...; did you mean "login"?` */
export function formatProblem(problem: Problem): string {
  const { file, line, column, path, message, expected, nearest } = problem;
  const where = `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}`;
  const wanted = expected === null ? '' : `; expected ${expected}`;
  const hint = nearest === null ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
  return safeText(`${where}${message}${wanted}${hint}`);
}

const SHOWN_MAX = 60;

/** A value as messages show it: short, on one line. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a table';
  const text = JSON.stringify(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`;
}

export type Path = readonly (string | number)[];

/** `loaders[2].match.path` */
export function formatPath(path: Path): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      const name = /^[a-zA-Z0-9_-]{1,64}$/.test(step) ? step : shown(step);
      return i === 0 ? name : `.${name}`;
    })
    .join('');
}
