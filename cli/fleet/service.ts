import { asCliError } from '../shared/log-error.ts';
import { configOf } from '../shared/open.ts';
import { report } from '../shared/report.ts';
import { serveAgent } from './agent.ts';

/** An agent's services as the monitor starts them: all settings come through the environment. */
export async function service(): Promise<void> {
  try {
    await serveAgent(configOf({}));
  } catch (error) {
    // It must end, whatever timer is left.
    process.exit(report(asCliError(error)));
  }
}
