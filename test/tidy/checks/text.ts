import type { Finding, SourceFile } from './files.ts';

/** Pages have one first-level heading, at their top. */
export function headings({ path, text }: SourceFile): Finding[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ''));
  const lines = prose.split('\n');
  const found = lines.flatMap((line, index) => (line.startsWith('# ') ? [index + 1] : []));
  if (found.length === 1) return [];
  return [
    { path, line: found[1] ?? 1, what: `${found.length} first-level headings, one is right` },
  ];
}

const LINK = /\]\((?!https?:|#|mailto:)([^)#\s]+)/g;

/** Relative links of a page, as paths. */
export function links({ text }: SourceFile): string[] {
  return [...text.matchAll(LINK)].map((match) => match[1] as string);
}

const MARK =
  // The marks themselves, as a pattern: it is no unfinished work, and leaves out no test.
  /\b(TODO|FIXME|XXX|HACK)\b|\b(test|it|describe)\.only\(|\bas any\b|@ts-(ignore|nocheck)/;

/** Marks of unfinished work, and ways around the checker. */
export function marks({ path, text }: SourceFile): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const found = MARK.exec(line);
    return found === null ? [] : [{ path, line: index + 1, what: found[0] }];
  });
}

const HOSTED =
  /https?:\/\/[a-z0-9.-]*(npmjs|maven|debian|ubuntu|golang|pypi|crates)[a-z0-9-]*\.(org|io|com)/;

/** No file names a registry's host: any registry must do. */
export function registryHosts({ path, text }: SourceFile): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const found = HOSTED.exec(line);
    return found === null ? [] : [{ path, line: index + 1, what: `registry host ${found[0]}` }];
  });
}
