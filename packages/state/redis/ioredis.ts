import { replaceFile } from '#log';

/**
 * ioredis 6 has a class that extends String, for a kind of reply that nobody here asks for. From
 * the moment such a class exists, V8 (13.6) no longer inlines methods of strings, anywhere in the
 * process: `charCodeAt` takes seven times as long, encoding an event twice. So ioredis is given
 * another class before it is loaded; a test looks at what V8 says. What it saves:
 * docs/decisions/2026-11-30-no-class-extends-string.md.
 */
class VerbatimString {}

replaceFile('ioredis/built/resp/verbatim-string', { VerbatimString });
