import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { formatPath, type Path, type Problem, type ProblemCode, shown } from './problem.ts';

/** Limits on a policy's text. */
export const BYTES_MAX = 1024 * 1024;
/** Lexical tokens: keeps the parser's time on hostile text below a second or two. */
const TOKENS_MAX = 100_000;
const NODES_MAX = 30_000;
const DEPTH_MAX = 8;
const PROBLEMS_MAX = 50;

/** Where the YAML library's words are for programmers. */
const OWN_WORDS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document',
  RESOURCE_EXHAUSTION: 'nested too deeply',
};

interface Place {
  /** Offset of the key, where the value has one. */
  readonly key: number | null;
  readonly value: number;
}

/** Plain values of a text, where each stands in it, and what was found wrong with them. */
export class Source {
  readonly file: string;
  value: unknown = undefined;
  private readonly lines = new LineCounter();
  private readonly places = new Map<string, Place>();
  private readonly found = new Map<string, Problem>();
  private nodes = 0;

  constructor(file: string) {
    this.file = file;
  }

  /** Problems by place, each place and code once. */
  get problems(): readonly Problem[] {
    return [...this.found.values()]
      .toSorted((a, b) => a.line - b.line || a.column - b.column)
      .slice(0, PROBLEMS_MAX);
  }

  /** Reads YAML. Never throws; problems say what was wrong. */
  readYaml(text: string): void {
    if (Buffer.byteLength(text) > BYTES_MAX) {
      this.addAt(0, 'TOO_LARGE', `more than ${BYTES_MAX} bytes`);
      return;
    }
    try {
      if (this.tooManyTokens(text)) return;
      const document = parseDocument(text, {
        lineCounter: this.lines,
        prettyErrors: false,
        uniqueKeys: false,
        logLevel: 'error',
      });
      this.takeDocument(document);
    } catch (error) {
      // The YAML library is not ours to trust with hostile text.
      this.addAt(0, 'YAML', `not readable as YAML (${(error as Error).name})`);
    }
  }

  /** Takes a value that has no text: problems then all point to its beginning. */
  readValue(value: unknown): void {
    this.value = value;
  }

  /** Line and column of the value at `path`, or of its key; of its parent where it is absent. */
  locate(path: Path, at: 'key' | 'value' = 'value'): { line: number; column: number } {
    const place = this.placeOf(path);
    return this.position(at === 'key' ? (place.key ?? place.value) : place.value);
  }

  lineOf(path: Path): number {
    return this.locate(path).line;
  }

  /** Adds a problem about the value at `path`, or about its key. */
  add(
    path: Path,
    problem: Pick<Problem, 'code' | 'message'> & Partial<Pick<Problem, 'expected' | 'nearest'>>,
    at: 'key' | 'value' = 'value',
  ): void {
    const place = this.placeOf(path);
    const offset = at === 'key' ? (place.key ?? place.value) : place.value;
    this.put(offset, { expected: null, nearest: null, ...problem, path: formatPath(path) });
  }

  private addAt(offset: number, code: ProblemCode, message: string): void {
    this.put(offset, { code, message, path: '', expected: null, nearest: null });
  }

  private put(offset: number, problem: Omit<Problem, 'file' | 'line' | 'column'>): void {
    const id = `${offset} ${problem.code} ${problem.path}`;
    if (this.found.has(id) || this.found.size >= NODES_MAX) return;
    this.found.set(id, { file: this.file, ...this.position(offset), ...problem });
  }

  private position(offset: number): { line: number; column: number } {
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(1, line), column: col || 1 };
  }

  /** The nearest place that the text has: what is absent stands where its parent does. */
  private placeOf(path: Path): Place {
    for (let depth = path.length; depth >= 0; depth--) {
      const place = this.places.get(JSON.stringify(path.slice(0, depth)));
      if (place !== undefined) return place;
    }
    return { key: null, value: 0 };
  }

  private tooManyTokens(text: string): boolean {
    let tokens = 0;
    for (const _ of new Lexer().lex(text)) {
      tokens += 1;
      if (tokens > TOKENS_MAX) {
        this.addAt(0, 'TOO_LARGE', `more than ${TOKENS_MAX} tokens`);
        return true;
      }
    }
    return false;
  }

  private takeDocument(document: Document.Parsed): void {
    for (const { pos, code, message } of document.errors.slice(0, PROBLEMS_MAX)) {
      this.addAt(pos[0], 'YAML', OWN_WORDS[code] ?? (message.split('\n')[0] as string));
    }
    if (document.directives.yaml.explicit) this.addAt(0, 'YAML', '%YAML directives are not read');
    if (this.found.size > 0) return;
    const { contents } = document;
    if (contents === null) this.addAt(0, 'MISSING', 'the file is empty');
    else this.value = this.take(contents, []);
  }

  private take(node: Node | null, path: Path, key: number | null = null): unknown {
    const value = node?.range?.[0] ?? key ?? 0;
    this.places.set(JSON.stringify(path), { key, value });
    this.nodes += 1;
    if (this.nodes > NODES_MAX) {
      if (this.nodes === NODES_MAX + 1) {
        this.addAt(value, 'TOO_LARGE', `more than ${NODES_MAX} entries`);
      }
      return null;
    }
    if (path.length > DEPTH_MAX) {
      this.addAt(value, 'TOO_LARGE', `more than ${DEPTH_MAX} levels`);
      return null;
    }
    if (node === null) return null;
    if (isAlias(node)) {
      this.add(path, { code: 'YAML', message: 'aliases are not read' });
      return null;
    }
    if (node.tag !== undefined) this.add(path, { code: 'YAML', message: 'tags are not read' });
    if (isMap(node)) return this.takeMap(node as YAMLMap<Node, Node | null>, path);
    if (isSeq(node)) {
      return (node as YAMLSeq<Node>).items.map((item, i) => this.take(item, [...path, i]));
    }
    return isScalar(node) ? node.value : null;
  }

  /** Without a prototype: keys come from the text. */
  private takeMap(node: YAMLMap<Node, Node | null>, path: Path): Record<string, unknown> {
    const table: Record<string, unknown> = Object.create(null);
    for (const { key, value } of node.items as Pair<Node, Node | null>[]) {
      const offset = key?.range?.[0] ?? 0;
      if (!isScalar(key) || key.value === null || typeof key.value === 'object') {
        this.addAt(offset, 'YAML', 'a key that is not a name');
        continue;
      }
      const name = String(key.value);
      const inner = [...path, name];
      const taken = this.take(value, inner, offset);
      if (name in table) {
        this.add(inner, { code: 'DUPLICATE', message: `${shown(name)} a second time` }, 'key');
      }
      table[name] = taken;
    }
    return table;
  }
}
