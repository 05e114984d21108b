import type { Command } from 'commander';
import { withKafka } from './fleet/options.ts';
import type { TopicsOptions } from './fleet/topics.ts';

export function topicsVerb(program: Command): void {
  const topics = program
    .command('topics')
    .description("the fleet's topics, settings and rights, as schemas/asyncapi.yaml says");
  const verbs = [
    ['plan', 'say what apply would change'],
    ['apply', 'make and set what is missing or differs'],
    ['check', 'exit 1 when the brokers differ'],
  ] as const;
  for (const [name, description] of verbs) {
    withKafka(topics.command(name).description(description))
      .option('--brokers <count>', 'how many there are, where fewer than three')
      .option('--rights', 'rights too: the brokers must have an authorizer')
      .option('--hosts <names>', 'hosts that have users, with commas between')
      .option('--json', 'one difference a line, as JSON (schema warden.topics/1)')
      .action(async (options: TopicsOptions) => {
        const work = await import('./fleet/topics.ts');
        await work[name](options);
      });
  }
}
