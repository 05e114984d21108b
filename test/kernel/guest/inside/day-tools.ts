import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '#testkit';
import { admin, ok } from './day-login.ts';
import { SLOW_MS, WORKLOADS } from './support.ts';

/** Parts of the day in which people and agents use BPF: each is done, and seen to have worked. */
const SAMPLE = `${WORKLOADS}/sample.bpf.o`;
const PINS = '/sys/fs/bpf/sample';
const CGROUP = '/sys/fs/cgroup/sample.service';
export const SKELETON = '/usr/local/bin/skeleton';

const PINNED = ['sample_exec', 'sample_kprobe', 'sample_egress', 'sample_device'];
const WORK = `set -e
bpftool prog loadall ${SAMPLE} ${PINS} pinmaps ${PINS}/maps
bpftool cgroup attach ${CGROUP} egress pinned ${PINS}/sample_egress
bpftool cgroup attach ${CGROUP} device pinned ${PINS}/sample_device multi
bpftool cgroup show ${CGROUP}
bpftool prog show
bpftool map show
bpftool link show
bpftool btf show
bpftool map pin pinned ${PINS}/maps/sample_counts ${PINS}/counts
sh -c 'echo 0 > ${CGROUP}/cgroup.procs; busybox ping -c 1 127.0.0.1'
bpftool -j map dump pinned ${PINS}/counts
bpftool cgroup detach ${CGROUP} egress pinned ${PINS}/sample_egress
bpftool cgroup detach ${CGROUP} device pinned ${PINS}/sample_device
rm -r ${PINS}`;

/** By an administrator who has logged in. */
export async function bpftool(): Promise<void> {
  mkdirSync(CGROUP, { recursive: true });
  const said = await admin(WORK);
  assert.match(said, /cgroup_inet_egress +multi +sample_egress|egress .*sample_egress/);
  for (const name of PINNED) assert.match(said, new RegExp(`name ${name} `), 'prog show');
  assert.match(said, /name sample_counts /, 'map show');
  assert.match(said, /"formatted":|"key":/, 'the attached program counted a packet');
  assert.equal(existsSync(PINS), false);
}

/** Counts executions while there are some. */
export async function bpftrace(): Promise<void> {
  const script =
    'BEGIN { printf("ready\\n"); } tracepoint:sched:sched_process_exec { @execs[comm] = count(); }';
  const child = spawn('bpftrace', ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const over = once(child, 'close');
  await waitFor('bpftrace to be ready', () => said.includes('ready'), SLOW_MS).catch(() => {
    assert.fail(said);
  });
  for (let n = 0; n < 5; n++) await ok('/bin/true');
  child.kill('SIGINT');
  await over;
  const [, count = '0'] = /@execs\[true\]: (\d+)/.exec(said) ?? [];
  assert.ok(Number(count) >= 5, said);
}

/** Captures what matches its filter, and nothing else. */
export async function tcpdump(): Promise<void> {
  const args = ['-i', 'lo', '-nn', '-c', '3', '-A', '-l', 'udp and dst port 4242'];
  const child = spawn('tcpdump', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const over = once(child, 'close');
  const socket = createSocket('udp4');
  for (let n = 0; child.exitCode === null && n < 600; n++) {
    socket.send('wanted', 4242, '127.0.0.1');
    socket.send('unwanted', 4243, '127.0.0.1');
    await sleep(100);
  }
  socket.close();
  const [code] = await over;
  const text = Buffer.concat(out).toString();
  assert.equal(code, 0, `${text}${said}`);
  assert.equal(text.match(/> 127\.0\.0\.1\.4242: UDP/g)?.length, 3, text);
  assert.doesNotMatch(text, /4243/);
}

/** Libbpf with a skeleton, as an agent of this host that the policy knows. */
export async function libbpf(): Promise<void> {
  mkdirSync(CGROUP, { recursive: true });
  const { stdout } = await ok(SKELETON, CGROUP);
  const { execs, packets } = JSON.parse(stdout);
  assert.ok(execs > 0 && packets > 0, stdout);
}
