import { setTimeout as sleep } from 'node:timers/promises';
import { descendants, run, Warden } from '#testkit';
import { ComposeFleet } from '../../fleet/compose/fleet.ts';
import { cpuSeconds, residentMb } from './process.ts';

/** Calls of bpf(2) that the kernel refuses, each a record: so many a second, for so long. */
const ACTS = `
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
attr = ctypes.create_string_buffer(b'\\xff\\xff\\xff\\xff', 128)
rate, seconds = int(sys.argv[1]), int(sys.argv[2])
start = time.monotonic()
for n in range(rate * seconds):
    libc.syscall(321, 11, attr, 128)
    time.sleep(max(0, start + (n + 1) / rate - time.monotonic()))
`;
const WARM_SECONDS = 5;

export interface AgentCost {
  readonly mb: number;
  /** Of one core, over the time of the acts. */
  readonly percent: number;
  readonly sent: number;
}

/** A whole agent of a fleet on this machine: monitor, collector, forwarder, enforcer. */
export async function measureAgent(perSecond: number, seconds: number): Promise<AgentCost> {
  const fleet = new ComposeFleet({ profiles: ['agent'], say: () => undefined });
  try {
    await fleet.start();
    const pid = fleet.pidOf('agent');
    const pids = [pid, ...descendants(pid)];
    const acts = run('python3', ['-c', ACTS, `${perSecond}`, `${seconds + 2 * WARM_SECONDS}`]);
    await sleep(WARM_SECONDS * 1000);
    const before = cpuSeconds(pids);
    await sleep(seconds * 1000);
    const percent = ((cpuSeconds(pids) - before) / seconds) * 100;
    const mb = residentMb(pids);
    await acts;
    const health = await fetch(`http://${fleet.place('127.0.0.1:7081')}/healthz`);
    const { status } = (await health.json()) as { status: { sent: number } };
    return { mb, percent, sent: status.sent };
  } finally {
    await fleet.stop();
    Warden.unload({ run: fleet.runDir } as Parameters<typeof Warden.unload>[0]);
  }
}
