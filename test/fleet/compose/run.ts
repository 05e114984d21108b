import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { Warden } from '#testkit';
import { untilAsked } from '../../../cli/fleet/serve.ts';
import { KERNELS, type Kernel } from '../../kernel/guest/index.ts';
import { ComposeFleet, type Row } from './fleet.ts';

/** npm run fleet: docker-compose.yml without containers, until Ctrl-C. */
const USAGE = `npm run fleet -- [--no-agent] [--with-guest] [--kernel ${KERNELS.join('|')}]`;
const LOOK_MS = 5000;

const say = (line: string) => process.stderr.write(`fleet: ${line}\n`);

function usage(why: string): never {
  process.stderr.write(`fleet: ${why}\n${USAGE}\n`);
  process.exit(64);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        'no-agent': { type: 'boolean', default: false },
        'with-guest': { type: 'boolean', default: false },
        kernel: { type: 'string', default: '6.12' },
      },
    });
    return values;
  } catch (error) {
    return usage((error as Error).message);
  }
}

function show(rows: readonly Row[]): void {
  const table = new Table({ head: ['service', 'is', 'where'], style: { head: [], border: [] } });
  for (const { name, is, where } of rows) table.push([name, is, where]);
  process.stdout.write(`${table}\n`);
}

/** Shows how all are, and again when that has changed, until it is asked to end. */
async function watch(fleet: ComposeFleet, asked: Promise<void>): Promise<void> {
  let ended = false;
  asked.then(() => {
    ended = true;
  });
  for (let before = ''; !ended; ) {
    const rows = await fleet.rows();
    const now = rows.map(({ name, is }) => `${name} ${is}`).join();
    if (now !== before && !ended) show(rows);
    before = now;
    await Promise.race([asked, new Promise((done) => setTimeout(done, LOOK_MS).unref())]);
  }
}

const { 'no-agent': centreOnly, 'with-guest': withGuest, kernel } = options();
const known = KERNELS.find((one): one is Kernel => one === kernel);
if (known === undefined)
  usage(`--kernel ${JSON.stringify(kernel)}: expected ${KERNELS.join(', ')}`);
if (!centreOnly && process.geteuid?.() !== 0) {
  usage('an agent on this machine needs root: sudo npm run fleet, or --no-agent');
}
const guest = withGuest ? { guest: known } : {};
const fleet = new ComposeFleet({ profiles: centreOnly ? [] : ['agent'], say, ...guest });
const asked = untilAsked();
try {
  await Promise.race([fleet.start(), asked]);
  const watching = watch(fleet, asked);
  say('Ctrl-C ends all of them');
  await watching;
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
} finally {
  await fleet.stop();
  if (!centreOnly) Warden.unload({ run: fleet.runDir } as Parameters<typeof Warden.unload>[0]);
}
