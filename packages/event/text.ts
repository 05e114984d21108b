/**
 * Text that came from elsewhere, made fit for a terminal: control characters (C0, DEL, C1), bidi
 * and zero-width characters, lone surrogates and line separators become `\xNN` or `\uNNNN`. A file
 * name must not be able to move the cursor or to pose as another column.
 */
export function safeText(text: string): string {
  return text.replace(UNSAFE, escaped);
}

const UNSAFE =
  /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escaped(char: string): string {
  const code = char.charCodeAt(0);
  if (code === 0x0a) return '\\n';
  if (code === 0x09) return '\\t';
  const hex = code.toString(16);
  return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
}
