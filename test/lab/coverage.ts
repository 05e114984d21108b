import { isWrong, kernelOf } from './judge.ts';
import type { Row } from './types.ts';

/**
 * Each way into BPF, or to the guard, and the attacks that go it. Seen is a way of which, where the
 * policy observes, every attack left a record of its own; denied is one of which, where it
 * enforces, every attack was refused.
 */
export const WAYS: readonly (readonly [string, readonly string[]])[] = [
  ['`PROG_LOAD`, by every gate', ['load-plain', 'load-int80', 'load-32bit', 'load-capable-user']],
  [
    'what a program calls, wherever the call stands',
    ['load-subprogram', 'load-late', 'load-toctou'],
  ],
  ['`PROG_LOAD` from within a program', ['load-light-skeleton']],
  ['`MAP_UPDATE_ELEM` of a map by id or pin', ['map-update-id', 'map-update-pin']],
  ['`PROG_ARRAY` entries', ['prog-array-swap', 'prog-array-cut']],
  ['`MAP_FREEZE`', ['map-freeze']],
  ['a mapped map', ['map-update-mmap', 'map-mmap', 'config-by-mmap']],
  ['maps read by id, pin, or iterator', ['secret-by-id', 'secret-by-pin', 'config-by-iterator']],
  ['a pin opened like a file', ['secret-by-cat']],
  ['instructions of another’s program', ['program-dump']],
  ['`PROG_BIND_MAP`', ['bind-map']],
  ['`PROG_DETACH`, `LINK_DETACH`', ['detach', 'link-detach']],
  ['`LINK_UPDATE`', ['link-update']],
  ['pins unlinked, replaced, renamed, linked', ['unpin', 'pin-replace', 'pin-rename', 'pin-link']],
  ['fds passed by `SCM_RIGHTS` or `pidfd_getfd`', ['agent-scm-rights', 'agent-pidfd-getfd']],
  ['`TOKEN_CREATE`', ['token']],
  ['`SO_ATTACH_BPF`, `SO_ATTACH_REUSEPORT_EBPF`', ['attach-bpf', 'reuseport-bpf']],
  ['`PACKET_FANOUT_DATA`', ['packet-fanout']],
  ['the same through io_uring', ['uring-setsockopt']],
  ['`PERF_EVENT_IOC_SET_BPF`', ['perf-ioctl']],
  ['XDP by netlink', ['netlink-xdp']],
  ['classic filters on packet and raw sockets', ['packet-filter', 'raw-filter']],
  [
    'our maps, programs, links by id',
    ['guard-map-by-id', 'guard-program-by-id', 'guard-link-by-id'],
  ],
  ['our pins and mounts', ['unlink-pins', 'umount-guard', 'umount-ancestor', 'cover-guard']],
  ['our processes', ['monitor-memory', 'monitor-fds', 'monitor-ptrace', 'loader-ptrace']],
  ['`ftrace_enabled`', ['ftrace-sysctl', 'ftrace-file', 'ftrace-uring', 'ftrace-override']],
  ['programs on our hooks', ['fmod-ret', 'trace-guard', 'extend-guard']],
];

/** Of one way on one kernel: what its rows under `setting` came to; null where there are none. */
function every(rows: readonly Row[], setting: string, good: (row: Row) => boolean): boolean | null {
  const here = rows.filter((row) => row.setting === setting);
  return here.length === 0 ? null : here.every(good);
}

function cellOf(rows: readonly Row[]): string {
  const seen = every(rows, 'observe', ({ event }) => event !== null);
  const denied = every(rows, 'enforce', (row) => row.got === 'refused' && !isWrong(row));
  const words = [seen === null ? null : seen ? 'seen' : 'not seen'];
  words.push(denied === null ? null : denied ? 'denied' : '**not denied**');
  return words.filter((word) => word !== null).join(', ') || '–';
}

/** A line for each way, a column for each kernel, however it is preempted. */
export function coverageTable(rows: readonly Row[]): string {
  const kernels = [...new Set(rows.map((row) => kernelOf(row).version))];
  const lines = WAYS.map(([way, attacks]) => {
    const cells = kernels.map((kernel) =>
      cellOf(
        rows.filter((row) => kernelOf(row).version === kernel && attacks.includes(row.attack)),
      ),
    );
    return `| ${[way, ...cells].join(' | ')} |`;
  });
  return [
    `| way | ${kernels.join(' | ')} |`,
    `|---|${kernels.map(() => '---|').join('')}`,
    ...lines,
  ].join('\n');
}

const PLACE = /(<!-- coverage: .*?-->\n).*(<!-- end of coverage -->)/s;

/** A page with its table of ways made anew. */
export function withCoverage(page: string, rows: readonly Row[]): string {
  if (!PLACE.test(page)) throw new Error('no place for the table of ways');
  const table = coverageTable(rows);
  return page.replace(PLACE, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
}
