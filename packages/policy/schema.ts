import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import policy from '../../schemas/policy.schema.json' with { type: 'json' };
import cases from '../../schemas/policy-cases.schema.json' with { type: 'json' };
import { nearest } from './nearest.ts';
import { type Path, type ProblemCode, shown } from './problem.ts';
import type { Source } from './source.ts';

/** The files that a schema describes. */
export type Kind = 'policy' | 'cases';

const SCHEMAS = { policy, cases } as const;
const compiled = new Map<Kind, ValidateFunction>();

/**
 * Compiling takes longer than most commands: it is done when a file is read, and without what would
 * double its time. A schema that a test has checked need not be checked again, and to optimize what
 * runs once gains nothing.
 */
function validator(kind: Kind): ValidateFunction {
  const known = compiled.get(kind);
  if (known !== undefined) return known;
  const told = { allErrors: true, verbose: true, allowUnionTypes: true } as const;
  const quick = { validateSchema: false, meta: false, code: { optimize: false } } as const;
  const made = new Ajv2020({ ...told, ...quick }).compile(SCHEMAS[kind]);
  compiled.set(kind, made);
  return made;
}

/** Keys of a policy that a later build honours: refused now, since ignoring them would be a lie. */
const LATER: ReadonlySet<string> = new Set(['programs', 'attach', 'S19']);

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly $ref?: string;
}

const shared: Readonly<Record<string, Described>> = { ...policy.$defs, ...cases.$defs };

function descriptionOf(part: Described | undefined): string | null {
  return part?.description ?? shared[part?.$ref?.split('/').at(-1) ?? '']?.description ?? null;
}

type Found = Parameters<Source['add']>[1] & { readonly code: ProblemCode };

/** Checks the value's shape. What it finds goes to `source.problems`. */
export function checkShape(source: Source, kind: Kind): boolean {
  const validate = validator(kind);
  if (validate(source.value)) return true;
  for (const error of validate.errors ?? []) {
    const path = pathOf(error.instancePath, source.value);
    if (error.keyword === 'additionalProperties') addUnknownKey(source, kind, error, path);
    else source.add(path, problemOf(error));
  }
  return false;
}

/** JSON pointer to path; steps into lists become numbers. */
function pathOf(pointer: string, root: unknown): Path {
  const path: (string | number)[] = [];
  let at = root;
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    const key = Array.isArray(at) ? Number(name) : name;
    path.push(key);
    at = (at as Record<string | number, unknown>)[key];
  }
  return path;
}

function addUnknownKey(source: Source, kind: Kind, error: ErrorObject, path: Path): void {
  const key = String(error.params.additionalProperty);
  const { description, properties = {} } = error.parentSchema as Described;
  const names = Object.keys(properties);
  if (kind === 'policy' && LATER.has(key)) {
    const message = `${shown(key)} is not in this build`;
    source.add([...path, key], { code: 'NOT_IN_THIS_BUILD', message }, 'key');
    return;
  }
  const expected = names.length > 0 ? names.join(', ') : `${description} (a-z, 0-9, - and _)`;
  const problem = { message: `unknown key ${shown(key)}`, expected, nearest: nearest(key, names) };
  source.add([...path, key], { code: 'UNKNOWN_KEY', ...problem }, 'key');
}

function problemOf(error: ErrorObject): Found {
  const { keyword, data, params } = error;
  const { description = null } = error.parentSchema as Described;
  switch (keyword) {
    case 'required': {
      const { properties = {} } = error.parentSchema as Described;
      const name = String(params.missingProperty);
      const expected = descriptionOf(properties[name]);
      return { code: 'MISSING', message: `${shown(name)} is missing`, expected };
    }
    case 'type':
      return {
        code: 'WRONG_TYPE',
        message: `${shown(data)} is of the wrong type`,
        expected: description,
      };
    case 'maxItems':
    case 'maxProperties':
      return {
        code: 'TOO_LARGE',
        message: 'too many entries',
        expected: `at most ${params.limit}`,
      };
    case 'enum':
    case 'const':
      return enumProblem(error, description);
    default:
      return { code: 'BAD_VALUE', message: `${shown(data)} is not valid`, expected: description };
  }
}

function enumProblem({ data, params }: ErrorObject, expected: string | null): Found {
  const names = (params.allowedValues ?? []) as readonly string[];
  const hint = typeof data === 'string' ? nearest(data, names) : null;
  return { code: 'BAD_VALUE', message: `${shown(data)} is not valid`, expected, nearest: hint };
}
