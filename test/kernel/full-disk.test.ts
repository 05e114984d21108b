import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { place, readEvents, run, Warden, waitFor, workload } from '#testkit';

const MIB = 1024 * 1024;

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

test('a full disk: it says so, the rings hold, and all is stored once there is room', async () => {
  const at = place('full');
  mkdirSync(at.state);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', at.state]);
  execFileSync('chown', ['bpf-warden:', at.state]);
  try {
    const warden = await Warden.start({ place: at });
    try {
      const ballast = join(at.state, 'ballast');
      writeFileSync(ballast, Buffer.alloc(freeBytes(at.state)));
      assert.ok(freeBytes(at.state) < MIB);
      const { acts } = await workload('churn', ['500', '4']);
      await warden.says(/cannot be written/);
      rmSync(ballast);
      const pids = new Set(acts.map(({ pid }) => pid));
      await waitFor('every act', async () => {
        const seen = await readEvents(at.database);
        const stored = seen.filter(({ event }) => event.map?.name === 'wl_churn');
        return stored.length >= acts.length;
      });
      const { code } = await warden.stop();
      assert.equal(code, 0, warden.stderr);
      const seen = await readEvents(at.database);
      const stored = seen.filter(({ event }) => event.map?.name === 'wl_churn');
      assert.equal(stored.length, acts.length, 'none twice');
      assert.ok(stored.every(({ event }) => pids.has(event.process?.pid ?? -1)));
      assert.ok(!seen.some(({ event }) => event.act.command === 'LOSS'));
      const verified = await run('./warden', ['verify', '--state', at.state]);
      assert.equal(verified.code, 0, verified.stdout);
    } finally {
      await warden.clean();
    }
  } finally {
    execFileSync('umount', [at.state]);
    at.remove();
  }
});

test('services that cannot start again leave the programs attached, and come back', async () => {
  const at = place('state-away');
  const warden = await Warden.start({ place: at });
  const { uid, gid, mode } = statSync(at.state);
  try {
    chownSync(at.state, 0, 0);
    chmodSync(at.state, 0o700);
    warden.killServices();
    await warden.says(/exit code 73: restart in/);
    const ran = await run('bpftool', ['map', 'list']);
    chownSync(at.state, uid, gid);
    chmodSync(at.state, mode);
    await waitFor('the act meanwhile', async () =>
      (await readEvents(at.database)).some(({ event }) => event.process?.pid === ran.pid),
    );
    assert.equal((await warden.stop()).code, 0, warden.stderr);
  } finally {
    await warden.clean();
    at.remove();
  }
});

test('stopped while the disk is full: it ends, and the next start stores the rest', async () => {
  const at = place('full-stop');
  mkdirSync(at.state);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', at.state]);
  execFileSync('chown', ['bpf-warden:', at.state]);
  try {
    const warden = await Warden.start({ place: at, args: ['--keep'] });
    const ballast = join(at.state, 'ballast');
    writeFileSync(ballast, Buffer.alloc(freeBytes(at.state)));
    const { acts } = await workload('churn', ['500', '4']);
    await warden.says(/cannot be written/);
    const { code } = await warden.stop();
    assert.equal(code, 0, warden.stderr);
    rmSync(ballast);
    const next = await Warden.start({ place: at });
    await next.stop();
    const seen = await readEvents(at.database);
    const stored = seen.filter(({ event }) => event.map?.name === 'wl_churn');
    assert.equal(stored.length, acts.length, 'all, and none twice');
    const verified = await run('./warden', ['verify', '--state', at.state]);
    assert.equal(verified.code, 0, verified.stdout);
  } finally {
    Warden.unload(at);
    execFileSync('umount', [at.state]);
    at.remove();
  }
});
