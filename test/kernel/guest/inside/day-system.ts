import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { run, waitFor } from '#testkit';
import { ok } from './day-login.ts';
import { SLOW_MS } from './support.ts';

/** Parts of the day in which the system itself uses BPF, of both kinds. */

/** Status of a command in a unit with these properties. */
async function unit(properties: readonly string[], command: string): Promise<number | null> {
  const args = properties.flatMap((one) => ['-p', one]);
  const line = ['--quiet', '--wait', '--collect', ...args, 'sh', '-c', command];
  return (await run('systemd-run', line)).code;
}

/** What systemd restricts by a program of its own: the property, what it forbids, what it lets. */
const RESTRICTIONS: readonly (readonly [string, string, string])[] = [
  ['IPAddressDeny=127.0.0.2', 'ping4 127.0.0.2', 'ping4 127.0.0.1'],
  ['DevicePolicy=closed', ': < /dev/kmsg', ': < /dev/zero'],
  ['SocketBindDeny=tcp:4444', 'listen 4444', 'listen 4445'],
  ['RestrictNetworkInterfaces=~lo', 'ping4 127.0.0.1', 'true'],
];
const FILE_SYSTEMS = [
  ['RestrictFileSystems=~tracefs', 'cat /sys/kernel/tracing/trace_clock', 'cat /proc/version'],
] as const;

const FUNCTIONS = `ping4() { busybox ping -c 1 -W 2 $1; }
listen() { node -e "require('net').createServer().listen($1, process.exit)"; }
{ COMMAND; } >/dev/null 2>&1`;

const script = (command: string) => FUNCTIONS.replace('COMMAND', command);

/** Each restriction holds, and only what it is about is kept away. */
async function hold(restrictions: typeof RESTRICTIONS): Promise<void> {
  for (const [property, forbidden, allowed] of restrictions) {
    assert.equal(await unit([], script(forbidden)), 0, `${forbidden}, without ${property}`);
    assert.notEqual(await unit([property], script(forbidden)), 0, `${property}: ${forbidden}`);
    assert.equal(await unit([property], script(allowed)), 0, `${property}: ${allowed}`);
  }
}

/** With the program for file systems that PID 1 loaded when it started, before the guard. */
export async function units(): Promise<void> {
  await hold(FILE_SYSTEMS);
  await hold(RESTRICTIONS);
}

/**
 * PID 1 executes itself, as after an upgrade, finds out again what this kernel can do, and loads
 * its program for file systems on a function that one of ours is on.
 */
export async function reexecuted(): Promise<void> {
  await ok('systemctl', 'daemon-reexec');
  await hold(FILE_SYSTEMS);
  await hold(RESTRICTIONS);
}

/** udevd starts anew, hears of devices, and who listens to it hears of them too. */
export async function udev(): Promise<void> {
  await ok('systemctl', 'restart', 'systemd-udevd');
  const child = spawn('udevadm', ['monitor', '--udev', '--subsystem-match=mem'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const over = once(child, 'close');
  await waitFor('the monitor', () => said.includes('UDEV - '), SLOW_MS);
  await ok('udevadm', 'trigger', '--action=change', '--subsystem-match=mem');
  await ok('udevadm', 'settle');
  await waitFor('what udevd sent on', () => /UDEV .* change .*\/null /.test(said), SLOW_MS);
  child.kill('SIGTERM');
  await over;
  assert.doesNotMatch(said, /block/);
}

const SERVER = `start 10.99.0.50
end 10.99.0.60
interface server
option subnet 255.255.255.0
option lease 600
`;

const WIRE = `busybox modprobe veth
ip netns add lan
ip link add client type veth peer name server netns lan
ip -n lan addr add 10.99.0.1/24 dev server
ip -n lan link set server up
ip link set client up`;

/** dhcpcd, Debian's own, and busybox's: both have a classic filter on a packet socket. */
export async function dhcp(): Promise<void> {
  mkdirSync('/var/lib/misc', { recursive: true });
  writeFileSync('/run/udhcpd.conf', SERVER);
  writeFileSync('/run/udhcpd.leases', '');
  await ok('sh', '-ec', WIRE);
  const server = ['netns', 'exec', 'lan', 'busybox', 'udhcpd', '-f', '/run/udhcpd.conf'];
  const child = spawn('ip', server, { stdio: 'ignore' });
  const over = once(child, 'close');
  try {
    await ok('dhcpcd', '-1', '-4', '-w', '-A', '-t', '30', 'client');
    assert.match(
      (await ok('ip', '-4', 'addr', 'show', 'dev', 'client')).stdout,
      /inet 10\.99\.0\./,
    );
    await ok('busybox', 'ping', '-c', '1', '-W', '5', '10.99.0.1');
    const lease = 'test "$1" = bound && echo "leased $ip" || true';
    writeFileSync('/run/leased', `#!/bin/sh\n${lease}\n`, { mode: 0o755 });
    const asked = ['-i', 'client', '-f', '-q', '-n', '-t', '10', '-s', '/run/leased'];
    assert.match((await ok('busybox', 'udhcpc', ...asked)).stdout, /leased 10\.99\.0\./);
  } finally {
    child.kill('SIGTERM');
    await over;
    await run('dhcpcd', ['-x', 'client']);
    await ok('sh', '-ec', 'ip link del client; ip netns del lan');
  }
}
