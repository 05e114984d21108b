/** The built-in policy: what `warden policy show` prints. */
export const defaultPolicyText = `# The built-in policy of bpf-warden. It observes: nothing is
# refused, what would be is recorded. mode: enforce refuses.
#
# A policy file of your own needs only the first two keys. What it leaves out is as below, except
# that a list it has (loaders, trusted, ...) takes the place of the whole list here. To begin:
#
#   warden policy show > policy.yaml      then edit, then
#   warden policy check policy.yaml

version: 1
mode: observe

# Where a uid means the same person on every host, name it a realm: then trust is counted for
# uid:10001@corp, on all hosts together. Outside a realm each host counts for itself:
# uid:1000@web-1.
#
# realms:
#   - { name: corp, uids: 10000-59999 }
#   - { name: lab, uids: 60000-64999, managed: false }   # nobody looks after these accounts

# Who may sign policies and break-glass tokens: ./warden policy keygen prints such a line.
#
# operators: [{ name: alice, key: "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" }]

# Programs that use BPF, or that say who a user is. A name counts from the file that was executed,
# never from what a process calls itself. The first of these that exist on a host are used.
#
#   agent    acts for itself: cilium@web-1 is a principal with trust of its own
#   tool     acts for whoever runs it, and is never a principal
#   login    the login uid that it writes is believed; anybody else's raises signal S21
#   runtime  starts others: containers, virtual machines
#
# With sha256 only that very file counts. grant limits what the loader may do, whatever the tier.
# floor: standard keeps an agent that the host depends on from being lowered by evidence: it only
# alerts, and what the policy refuses is refused.
loaders:
  # Who writes /proc/self/loginuid, on Debian, Ubuntu, RHEL and their like.
  - { name: systemd, kind: login, match: { path: /usr/lib/systemd/systemd } }
  - { name: systemd-executor, kind: login, match: { path: /usr/lib/systemd/systemd-executor } }
  - { name: sshd, kind: login, match: { path: /usr/sbin/sshd } }
  - { name: sshd-session, kind: login, match: { path: /usr/lib/openssh/sshd-session } }
  - { name: sshd-session, kind: login, match: { path: /usr/libexec/openssh/sshd-session } }
  - { name: login, kind: login, match: { path: /usr/bin/login } }
  - { name: cron, kind: login, match: { path: /usr/sbin/cron } }
  - { name: crond, kind: login, match: { path: /usr/sbin/crond } }
  - { name: atd, kind: login, match: { path: /usr/sbin/atd } }
  - { name: gdm, kind: login, match: { path: /usr/lib/gdm3/gdm-session-worker } }
  - { name: gdm, kind: login, match: { path: /usr/libexec/gdm-session-worker } }
  - { name: sddm, kind: login, match: { path: /usr/lib/x86_64-linux-gnu/sddm/sddm-helper } }
  - { name: sddm, kind: login, match: { path: /usr/libexec/sddm-helper } }
  - { name: lightdm, kind: login, match: { path: /usr/sbin/lightdm } }
  - { name: cockpit, kind: login, match: { path: /usr/lib/cockpit/cockpit-session } }
  - { name: cockpit, kind: login, match: { path: /usr/libexec/cockpit-session } }
  # su and sudo are not here: they keep the login uid, so that root is still alice.

  # Run by people and by scripts. Interpreters too: what they load is their user's doing.
  - { name: bpftool, kind: tool, match: { path: /usr/sbin/bpftool } }
  - { name: bpftrace, kind: tool, match: { path: /usr/bin/bpftrace } }
  - { name: ip, kind: tool, match: { path: /usr/sbin/ip } }
  - { name: tc, kind: tool, match: { path: /usr/sbin/tc } }
  - { name: perf, kind: tool, match: { path: /usr/bin/perf } }
  - { name: python3, kind: tool, match: { path: /usr/bin/python3 } }
  - { name: perl, kind: tool, match: { path: /usr/bin/perl } }

  # Containers: they load a program for each container's devices.
  - { name: dockerd, kind: runtime, match: { path: /usr/bin/dockerd } }
  - { name: dockerd, kind: runtime, match: { path: /usr/sbin/dockerd } }
  - { name: containerd, kind: runtime, match: { path: /usr/bin/containerd } }
  - { name: runc, kind: runtime, match: { path: /usr/bin/runc } }
  - { name: runc, kind: runtime, match: { path: /usr/sbin/runc } }
  - { name: crun, kind: runtime, match: { path: /usr/bin/crun } }
  - { name: podman, kind: runtime, match: { path: /usr/bin/podman } }
  - { name: crio, kind: runtime, match: { path: /usr/bin/crio } }

# What may be done. Names are the kernel's without BPF_, BPF_PROG_TYPE_, BPF_MAP_TYPE_ or bpf_; *
# stands for any characters, and ! leaves out. all and none exist already. attach_types, helpers and
# kfuncs may be left out: then they limit nothing. objects: own leaves out programs and maps that
# somebody else made.
#
# enforce: [helpers] refuses by that list although the mode is observe; observe: [helpers] is the
# opposite in mode enforce.
#
# A grant called "unknown" limits loaders that are not in the list above; without it they get all.
grants:
  standard:
    commands: ["*", "!TOKEN_CREATE"]
    program_types:
      - TRACEPOINT
      - KPROBE
      - PERF_EVENT
      - RAW_TRACEPOINT
      - TRACING
      - CGROUP_*
      - "!CGROUP_SYSCTL" # it could let ftrace_enabled be set
      - SOCKET_FILTER
      - SCHED_CLS
      - XDP
    map_types: ["*", "!STRUCT_OPS"]
    attach_types: ["*", "!MODIFY_RETURN", "!LSM_*", "!STRUCT_OPS"]
    # Not what writes into processes, changes results, kills, or loads further programs.
    helpers:
      - "*"
      - "!probe_write_user"
      - "!override_return"
      - "!send_signal*"
      - "!sys_bpf"
      - "!sys_close"
      - "!kallsyms_lookup_name"
  # Own maps, reading, and programs that only watch.
  restricted:
    commands:
      - MAP_*
      - "!MAP_GET_NEXT_ID"
      - "!MAP_GET_FD_BY_ID"
      - OBJ_GET
      - PROG_LOAD
      - LINK_CREATE
      - BTF_LOAD
      - OBJ_GET_INFO_BY_FD
    program_types: [TRACEPOINT, PERF_EVENT, SOCKET_FILTER]
    map_types:
      - "*"
      - "!STRUCT_OPS"
      - "!PROG_ARRAY"
      - "!SOCKMAP"
      - "!SOCKHASH"
      - "!DEVMAP*"
      - "!XSKMAP"
      - "!USER_RINGBUF"
      - "!ARENA"
    attach_types: [PERF_EVENT, TRACE_RAW_TP]
    # Nor what reads memory of others or changes packets.
    helpers:
      - "*"
      - "!probe_write_user"
      - "!override_return"
      - "!send_signal*"
      - "!sys_bpf"
      - "!sys_close"
      - "!kallsyms_lookup_name"
      - "!probe_read*"
      - "!redirect*"
      - "!clone_redirect"
      - "!skb_store_bytes"
      - "!setsockopt"
    kfuncs: []
    objects: own
  # What runs already may read its maps.
  quarantined:
    commands: [MAP_LOOKUP_ELEM, MAP_GET_NEXT_KEY, OBJ_GET_INFO_BY_FD]
    program_types: []
    map_types: []
    helpers: []
    kfuncs: []
    objects: own

# What each tier may do. Everybody is standard until signals lower them; trusted are those below.
tiers:
  trusted: { grant: all }
  standard: { grant: standard }
  restricted: { grant: restricted }
  quarantined: { grant: quarantined }
  denied: { grant: none }

# No subject of a host is above this tier, whatever its trust.
#
# ceiling: standard

# What a refusal does besides: the kernel lowers the subject itself, before any service has heard of
# it. It is over when the services have taken the act into account and the time has passed since.
#
# reflex:
#   - { on: helpers, tier: quarantined, for: 10m }

# Principals that are trusted unless signals lower them. They need a base of 85 or more.
#
# trusted: [uid:10001@corp, cilium@web-1]

# Trust of those of whom there is no evidence, from 0 to 100.
bases:
  realm: 90        # a uid in a realm
  unmanaged: 75    # a uid in a realm with managed: false
  loader: 90       # a loader known by sha256
  loader_path: 65  # a loader known by path only
  uid: 65          # a uid of one host
  host: 90         # what a host says about itself
  # principals: { "uid:33@web-1": 75 }

# Weight (0 to 100; 0 switches off) and half-life of what lowers trust. limit: acts in a window.
signals:
  S01: { weight: 80, half_life: 30d }              # tampering with the guard or its log
  S02: { weight: 45, half_life: 14d }              # LSM or EXT program that the grant lacks
  S03: { weight: 40, half_life: 14d }              # helper probe_write_user
  S04: { weight: 40, half_life: 14d }              # helper override_return
  S05: { weight: 25, half_life: 7d }               # helper send_signal, send_signal_thread
  S06: { weight: 15, half_life: 7d }               # helper sys_bpf, kallsyms_lookup_name, sys_close
  S07: { weight: 30, half_life: 7d }               # executable in /tmp, /dev/shm, memfd, ...
  S08: { weight: 15, half_life: 3d }               # load from another user namespace
  S09: { weight: 12, half_life: 3d }               # fd by id of somebody else's object
  S10: { weight: 10, half_life: 3d }               # first program of a type that sees packets
  S11: { weight: 8, half_life: 3d }                # first of a tracing type in 30 days
  S12: { weight: 6, half_life: 1d, limit: 200 }    # sweep over object ids, in a minute
  S13: { weight: 5, half_life: 1d, limit: 5 }      # EPERM from the kernel, in 10 minutes
  S14: { weight: 3, half_life: 1d, limit: 20 }     # verifier rejections, in 10 minutes
  S15: { weight: 5, half_life: 3d }                # program that programs.allow does not list
  S16: { weight: 4, half_life: 3d }                # first act on a host, after others
  S16H: { weight: 2, half_life: 1d }               # outside the hours below
  S17: { weight: 20, half_life: 7d }               # events missing that no LOSS declares
  S18: { weight: 30, half_life: 7d }               # risk that other systems report
  S21: { weight: 15, half_life: 7d }               # login uid not written by a login program

# Digests of programs that are known. Without this key S15 is never raised.
#
# programs:
#   allow: ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]

# Working hours of people, with a fixed offset from UTC. Without this key S16H is never raised.
#
# hours: { days: [mon, tue, wed, thu, fri], from: "07:00", to: "19:00", utc_offset: "+01:00" }

# Where and when evidence counts for more, one and a half times, or for less, a fifth. Tampering
# never counts for less.
#
# context:
#   crown_jewels: ["db-*"]
#   changes:
#     - { hosts: ["web-*"], from: 2026-11-23T20:00Z, to: 2026-11-23T23:00Z }

# More than 20 principals, and more than this share of all, or of hosts, lowered within a minute
# wait for an operator: ./warden breaker.
breaker: { principals: 20, share: 10%, hosts: 10%, within: 1m }

# Acts a day, of people without a label, that a promotion may be about to refuse.
rollout: { would_deny: 20 }
`;
