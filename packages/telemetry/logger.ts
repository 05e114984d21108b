import pino from 'pino';

export type Logger = pino.Logger;

/** What never reaches a log line, at any depth that we use. */
const SECRET_NAMES = ['key', 'hostKey', 'password', 'token', 'cert'];
/** pino takes no path of any depth: `kafka.user.password` is the deepest of ours. */
const DEPTHS = ['', '*.', '*.*.', '*.*.*.'];
const SECRETS = DEPTHS.flatMap((depth) => SECRET_NAMES.map((name) => `${depth}${name}`));

const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/** A pino line for a person: `warden: collector: text (reason=…)`. */
function human(line: string): string {
  const { level, time: _time, pid: _pid, hostname: _host, name, msg, ...rest } = JSON.parse(line);
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${show(value)}`);
  const kind = level >= 50 ? 'error: ' : level >= 40 ? 'warning: ' : '';
  const tail = fields.length > 0 ? ` (${fields.join(', ')})` : '';
  return `warden: ${kind}${name}: ${msg}${tail}`.replace(CONTROL, ' ');
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value !== null && typeof value === 'object' && 'message' in value)
    return String(value.message);
  return JSON.stringify(value);
}

/**
 * A logger on standard error: JSON lines, or lines for a person where standard error is a terminal.
 * Standard output belongs to the product's output.
 */
export function createLogger(options: { level: string; name: string; pretty?: boolean }): Logger {
  const pretty = options.pretty ?? process.stderr.isTTY === true;
  const destination = pino.destination({ dest: 2, sync: true });
  const settings = {
    name: options.name,
    level: options.level,
    redact: { paths: SECRETS, censor: '[secret]' },
  };
  if (!pretty) return pino(settings, destination);
  return pino(settings, { write: (line: string) => destination.write(`${human(line)}\n`) });
}
