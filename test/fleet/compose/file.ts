import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';

export const ROOT = resolve(import.meta.dirname, '../../..');

/** When a service may start: `service_healthy` or `service_completed_successfully` of others. */
export type Needs = Readonly<Record<string, { readonly condition: string }>>;

/** A service as docker-compose.yml has it, as far as it matters without containers. */
export interface ComposeService {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  readonly needs: Needs;
  readonly health: readonly string[] | null;
  /** Whether it is one of ours: those of others are started as tests start them. */
  readonly own: boolean;
}

interface Raw {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly profiles?: readonly string[];
  readonly depends_on?: Needs;
  readonly healthcheck?: { readonly test: readonly string[] };
}

/** The services of docker-compose.yml, in its order. */
export function composeServices(): ComposeService[] {
  const text = readFileSync(resolve(ROOT, 'docker-compose.yml'), 'utf8');
  const { services } = parse(text, { merge: true }) as { services: Record<string, Raw> };
  return Object.entries(services).map(([name, raw]) => ({
    name,
    command: raw.command ?? [],
    environment: Object.fromEntries(
      Object.entries(raw.environment ?? {}).map(([key, value]) => [key, `${value}`]),
    ),
    profiles: raw.profiles ?? [],
    needs: raw.depends_on ?? {},
    health: raw.healthcheck?.test.slice(1) ?? null,
    own: raw.image === 'bpf-warden',
  }));
}
