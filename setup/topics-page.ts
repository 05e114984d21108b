import { fleetContract } from '#log/kafka';

const INTRO = `\`./warden topics plan|apply|check\` compares the brokers with
\`schemas/asyncapi.yaml\`, which says of each topic what is in it. Behind the prefix of a fleet
(\`WARDEN_FLEET\`) the names are as here, with \`.v1\`.`;

const RIGHTS = `\`host-*\` stands for the user of each host. Everybody may also describe what they
read or write.`;

type Table = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

const DAY_MS = 24 * 3_600_000;

/** How long records stay. */
function kept(settings: Readonly<Record<string, string>>): string {
  const { 'cleanup.policy': policy = '', 'retention.ms': retention = '-1' } = settings;
  if (retention === '-1') return policy === 'compact' ? 'the last of each key' : 'for ever';
  return `${Number(retention) / DAY_MS} days`;
}

/** The page of every topic and of who may use it. */
export function topicsPage(notice: (source: string) => string, table: Table): string {
  const { topics, roles } = fleetContract();
  const names = (list: readonly string[]) => list.map((name) => `\`${name}\``).join(', ');
  const rows = topics.map(({ topic, partitions, replicas, settings }) => {
    const inSync = settings['min.insync.replicas'] ?? '1';
    return [`\`${topic}\``, `${partitions}`, `${replicas}, ${inSync} in sync`, kept(settings)];
  });
  const rights = roles.map(({ role, user, group, transactionalIds, reads, writes }) => {
    const ids = transactionalIds === null ? '' : `\`${transactionalIds}*\``;
    return [role, `\`${user}\``, names(reads), names(writes), group ?? '', ids];
  });
  const parts = [
    '# Topics',
    notice('schemas/asyncapi.yaml'),
    INTRO,
    table(['topic', 'partitions', 'replicas', 'kept'], rows),
    '## Rights',
    RIGHTS,
    table(['role', 'user', 'reads', 'writes', 'group', 'transactional ids'], rights),
  ];
  return `${parts.join('\n\n')}\n`;
}
