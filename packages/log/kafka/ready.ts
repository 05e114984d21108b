import { KafkaClient, type KafkaSettings } from './client.ts';

/** Whether as many brokers as that are registered, and one of them leads. For those who wait. */
export async function kafkaReady(
  brokers: readonly string[],
  count: number,
  access: Pick<KafkaSettings, 'tls' | 'user'> = { tls: null, user: null },
): Promise<boolean> {
  const settings = { brokers, clientId: 'ready', prefix: '', ...access };
  const { kafka } = new KafkaClient(settings);
  const admin = kafka.admin({ retry: { retries: 0 } });
  try {
    await admin.connect();
    const { brokers: alive, controller } = await admin.describeCluster();
    return alive.length >= count && controller !== null;
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
