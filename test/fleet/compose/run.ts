import { parseArgs } from 'node:util';
import { untilAsked } from '../../../cli/fleet/serve.ts';
import { ComposeFleet } from './fleet.ts';

/** npm run fleet -- [--profile agent]: until Ctrl-C. */
const { values } = parseArgs({ options: { profile: { type: 'string', multiple: true } } });
const say = (line: string) => process.stderr.write(`fleet: ${line}\n`);
const fleet = new ComposeFleet({ profiles: values.profile ?? [], say });
const asked = untilAsked();
try {
  await Promise.race([fleet.start(), asked]);
  say('all services are there; Ctrl-C ends them');
  await asked;
} finally {
  await fleet.stop();
}
