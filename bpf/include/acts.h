/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What an act can be, and what is known of it: part of warden.h, which includes it. */
#ifndef WARDEN_ACTS_H
#define WARDEN_ACTS_H

/*
 * Acts that are no command of bpf(2) have numbers that no kernel uses for one. Only ATTACH is
 * something that grants speak about; a call of bpf(2) by these numbers is judged as unknown.
 */
enum wd_own_command {
	WD_ATTACH = 48,	       /* a program, by perf ioctl, netlink, setsockopt, io_uring */
	WD_FILTER = 49,	       /* a classic filter, on a packet or raw socket */
	WD_MAP_MMAP = 50,
	WD_FD_RECEIVE = 51,    /* of an object, by SCM_RIGHTS or pidfd_getfd */
	WD_PIN_OPEN = 52,      /* open(2) of a pinned map or iterator */
	WD_PIN_UNLINK = 53,
	WD_PIN_RENAME = 54,
	WD_PIN_LINK = 55,      /* a hard or symbolic link in a bpffs */
	WD_PIN_MAKE = 56,      /* anything made in our own bpffs */
	WD_MOUNT = 57,	       /* of a bpffs, or of a mount that ours hangs on */
	WD_UMOUNT = 58,
	WD_SYSCTL = 59,
	WD_PTRACE = 60,
	WD_OWN_COMMANDS_END = 61,
};

/* How an act came to be. */
enum wd_via {
	WD_VIA_BPF = 0,
	WD_VIA_PERF_IOCTL = 1,
	WD_VIA_NETLINK = 2,
	WD_VIA_SETSOCKOPT = 3,
	WD_VIA_IO_URING = 4,
	WD_VIA_IOCTL = 5,
	WD_VIA_SYSCALL = 6,    /* any other system call */
};

/* Classic filters are counted, and never held against anybody but for the first. */
enum wd_classic {
	WD_CLASSIC_PACKET = 0, /* on AF_PACKET or SOCK_RAW: recorded as well */
	WD_CLASSIC_NETLINK = 1,
	WD_CLASSIC_SECCOMP = 2,
	WD_CLASSIC_OTHER = 3,
	WD_CLASSICS = 4,
};

enum wd_act_flag {
	WD_ACT_COMPAT = 1 << 0,	     /* int 0x80 */
	WD_ACT_AUID_COUNTS = 1 << 1, /* written under a login loader, or baseline */
	WD_ACT_AUID_CLAIMED = 1 << 2,/* set, but by somebody else */
	WD_ACT_NO_RESULT = 1 << 3,   /* the task went away inside the call: result unknown */
	WD_ACT_ATTR_UNREADABLE = 1 << 4, /* user memory of the attributes could not be read */
	WD_ACT_USERNS = 1 << 5,	     /* not in the initial user namespace */
	WD_ACT_CAP_SYS_ADMIN = 1 << 6, /* effective, in the initial user namespace */
	WD_ACT_CAP_BPF = 1 << 7,
	WD_ACT_COUNTER_FIRST = 1 << 8, /* first use of a counter: the counter holds this call too */
	WD_ACT_CANARY = 1 << 9,
	WD_ACT_COUNTER_FULL = 1 << 10, /* counter table was full: counted per subject and command */
	WD_ACT_LATE = 1 << 11,	     /* only its end was seen: older than us, or seccomp refused */
	WD_ACT_REFUSED = 1 << 12,    /* in a counter's key: the decision was not WD_ALLOW */
	WD_ACT_NESTED = 1 << 13,     /* made by a BPF program (bpf_sys_bpf), not by a system call */
	WD_ACT_COPIED = 1 << 14,     /* the claim is from the kernel's own copy: no longer racy */
	WD_ACT_REFLEX = 1 << 15,     /* this act set off a reflex */
	WD_ACT_OBSERVED = 1 << 16,   /* of a subject that is only observed: nothing is refused */
	WD_ACT_AGENT = 1 << 17,	     /* the loader acts for itself: what is made is its own */
	WD_ACT_PRIMED = 1 << 18,     /* `object` is the link that the kernel made in this call */
	WD_ACT_CONTROL = 1 << 19,    /* a write to a map that says what runs: recorded each time */
	WD_ACT_KILLED = 1 << 20,     /* mode signal: SIGKILL went to who made it */
};

#endif /* WARDEN_ACTS_H */
