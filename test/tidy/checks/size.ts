import { stripTypeScriptTypes } from 'node:module';
import { type Node, parse } from 'acorn';
import { full } from 'acorn-walk';
import type { Finding, SourceFile } from './files.ts';

export const LIMITS = { functionLines: 70, fileLines: 400, columns: 100 } as const;

const TAB = 8;

function width(line: string): number {
  let at = 0;
  for (const character of line) at += character === '\t' ? TAB - (at % TAB) : 1;
  return at;
}

/** Lines over the limit; a line that is one unbreakable word (a URL) is let pass. */
export function longLines({ path, text }: SourceFile): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const found = width(line);
    if (found <= LIMITS.columns || !/\s/.test(line.trim())) return [];
    return [{ path, line: index + 1, what: `${found} columns, at most ${LIMITS.columns}` }];
  });
}

export function longFile({ path, text }: SourceFile): Finding[] {
  const lines = text.trimEnd().split('\n').length;
  if (lines <= LIMITS.fileLines) return [];
  return [{ path, line: lines, what: `${lines} lines, at most ${LIMITS.fileLines}` }];
}

/** Functions of a TypeScript file: types become blanks, so positions stay. */
export function longFunctions({ path, text }: SourceFile): Finding[] {
  const code = stripTypeScriptTypes(text, { mode: 'strip' });
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const findings: Finding[] = [];
  full(tree, (node: Node) => {
    if (!/Function/.test(node.type) || !node.loc) return;
    const lines = node.loc.end.line - node.loc.start.line + 1;
    if (lines <= LIMITS.functionLines) return;
    const what = `a function of ${lines} lines, at most ${LIMITS.functionLines}`;
    findings.push({ path, line: node.loc.start.line, what });
  });
  return findings;
}

/** Functions of a C file: from a `{` that begins a line to the `}` that does, as in the kernel. */
export function longCFunctions({ path, text }: SourceFile): Finding[] {
  const findings: Finding[] = [];
  let begin = -1;
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('{')) begin = index;
    if (!line.startsWith('}') || begin < 0) continue;
    const lines = index - begin + 1;
    if (lines > LIMITS.functionLines) {
      const what = `a function of ${lines} lines, at most ${LIMITS.functionLines}`;
      findings.push({ path, line: begin + 1, what });
    }
    begin = -1;
  }
  return findings;
}
