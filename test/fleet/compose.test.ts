import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Warden } from '#testkit';
import { composeServices } from './compose/file.ts';
import { ComposeFleet } from './compose/fleet.ts';

test('docker-compose.yml: what needs what is there, and the agent alone is privileged', () => {
  const services = composeServices();
  const names = services.map(({ name }) => name);
  assert.deepEqual(names, ['kafka', 'redis', 'keys', 'topics', 'enricher', 'agent']);
  for (const { name, needs } of services) {
    for (const needed of Object.keys(needs)) {
      assert.ok(names.indexOf(needed) < names.indexOf(name), `${name} needs ${needed}`);
    }
  }
});

test('npm run fleet: every service comes up by its health check, and says how it is', async () => {
  const said: string[] = [];
  const fleet = new ComposeFleet({ profiles: ['agent'], say: (line) => said.push(line) });
  try {
    await fleet.start();
    const ask = async (place: string, path: string) => {
      const response = await fetch(`http://${fleet.place(place)}${path}`);
      return { code: response.status, text: await response.text() };
    };
    for (const service of ['127.0.0.1:7080', '127.0.0.1:7081']) {
      assert.equal((await ask(service, '/healthz')).code, 200);
      assert.equal((await ask(service, '/nothing')).code, 404);
    }
    const { text } = await ask('127.0.0.1:7080', '/metrics');
    assert.match(text, /^# TYPE warden_enricher_events_total counter$/m);
    assert.equal(text.match(/^warden_enricher_live\{partition="\d+"\} 1$/gm)?.length, 16);
    const { text: ofHost } = await ask('127.0.0.1:7081', '/metrics');
    assert.match(ofHost, /^warden_host_following 1$/m);
    assert.match(ofHost, /^warden_host_mode\{mode="(lsm|fmod_ret|audit)"\} 1$/m);
    assert.match(ofHost, /^warden_host_act_to_map_seconds_count \d+$/m);
    for (const service of ['127.0.0.1:7080', '127.0.0.1:7081']) {
      assert.equal((await ask(service, '/readyz')).code, 200);
    }
    assert.ok(said.includes('agent: healthy'));
  } finally {
    await fleet.stop();
    Warden.unload({ run: fleet.runDir } as Parameters<typeof Warden.unload>[0]);
  }
});
