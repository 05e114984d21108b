import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import test from 'node:test';
import { GuestError, KERNELS, runGuest, runGuests } from './index.ts';

test('each kernel boots, has BPF LSM, and says exactly what its command said', async () => {
  const command =
    'uname -r; cat /sys/kernel/security/lsm; echo; cat /given; echo "err ü" >&2; exit 3';
  const given = 'a\tb\n'.repeat(200_000);
  const runs = await runGuests(
    KERNELS.map((kernel) => ({ kernel, command, files: { '/given': given } })),
  );
  for (const [i, { status, stdout, stderr, bootSeconds }] of runs.entries()) {
    const [release = '', lsm = ''] = stdout.split('\n', 2);
    const kernel = KERNELS[i] as string;
    // Sid moves on: what is asked of it is to be newer than 7.0.
    assert.match(
      release,
      kernel === '7.2' ? /^7\./ : new RegExp(`^${kernel.replace('.', '\\.')}\\.`),
    );
    assert.ok(lsm.split(',').includes('bpf'), lsm);
    assert.ok(stdout.endsWith(`\n${given}`), 'every byte');
    assert.equal(stderr, 'err ü\n');
    assert.equal(status, 3);
    assert.ok(bootSeconds < 120, `${bootSeconds} s`);
  }
});

test('a guest that hangs is named, with what it said last', async () => {
  const job = {
    kernel: '6.12',
    command: 'echo going > /dev/console; sleep 600',
    timeoutSeconds: 45,
  } as const;
  await assert.rejects(runGuest(job), (error) => {
    assert.ok(error instanceof GuestError);
    assert.equal(error.code, 'TIMEOUT');
    assert.match(error.message, /within 45 s/);
    assert.match(error.console, /going/);
    return true;
  });
});

test('a panic is one, and a guest that goes without a word too', async () => {
  const panic = { kernel: '6.1', command: 'echo c > /proc/sysrq-trigger; sleep 60' } as const;
  await assert.rejects(runGuest(panic), { code: 'PANIC' });
  const gone = { kernel: '6.1', command: 'poweroff -f; sleep 60' } as const;
  await assert.rejects(runGuest(gone), { code: 'VANISHED' });
});

test('a guest reaches a server of this machine', async () => {
  const server = createServer((socket) => socket.end('hello from outside\n'));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const { port } = server.address() as { port: number };
    const command = `nc 10.0.2.2 ${port} </dev/null`;
    const { stdout, stderr } = await runGuest({ kernel: '6.1', command, network: true });
    assert.equal(stdout, 'hello from outside\n', stderr);
  } finally {
    server.close();
  }
});
