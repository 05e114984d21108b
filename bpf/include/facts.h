/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is found in a program while it is loaded; part of the contract, included by warden.h. */
#ifndef WARDEN_FACTS_H
#define WARDEN_FACTS_H

#define WD_HELPER_WORDS 4      /* helper ids below 256, as bits */
#define WD_KFUNC_WORDS 4       /* kfunc classes below 256, as bits */
#define WD_FACTS_KFUNCS 32     /* named in a record; all are judged */
#define WD_FACTS_MAPS 32       /* named in a record; all are judged */
#define WD_KFUNC_NAME 56
#define WD_TARGET_NAME 64

enum wd_fact_flag {
	WD_FACT_HELPER_BEYOND = 1 << 0,	/* a helper id of 256 or more */
	WD_FACT_KFUNCS_CUT = 1 << 1,	/* more kfuncs than the record has room for */
	WD_FACT_MAPS_CUT = 1 << 2,	/* more maps than the record has room for */
	WD_FACT_CAPTURED = 1 << 3,	/* every instruction went into the code ring */
	WD_FACT_SLEEPABLE = 1 << 4,
	WD_FACT_RESOLVED = 1 << 5,	/* the verifier took it: maps and module kfuncs are known */
	WD_FACT_SIGNATURE = 1 << 6,	/* this kernel checks signatures: the three fields count */
	WD_FACT_KFUNC_UNNAMED = 1 << 7, /* a kfunc whose name could not be told: judged unlisted */
	WD_FACT_GPL = 1 << 8,	/* its licence is GPL-compatible */
};

struct wd_kfunc {
	__u32 btf_id;	       /* of the function */
	__u32 module;	       /* 1: of a module; 0: of vmlinux */
	char name[WD_KFUNC_NAME];
};

/* What scanning found in a program, from the kernel's own copy of its instructions. */
struct wd_facts {
	__u64 helpers[WD_HELPER_WORDS];	/* bit n: calls helper n */
	__u32 flags;	       /* enum wd_fact_flag */
	__u32 insn_cnt;	       /* as loaded, before the verifier's patches */
	__u32 prog_type;
	__u32 attach_type;
	__u32 attach_btf_id;
	__u32 map_count;       /* of `maps` */
	__u32 kfunc_count;     /* of `kfuncs` */
	__u32 signature;       /* 7.2: the kernel's verdict, enum bpf_sig_verdict */
	__u32 keyring_type;
	__s32 keyring_serial;
	char attach[WD_TARGET_NAME];	/* function or hook that it is loaded for, "" without */
	__u32 maps[WD_FACTS_MAPS];	/* ids, as the kernel resolved them */
	struct wd_kfunc kfuncs[WD_FACTS_KFUNCS];
};

/*
 * A run of a program's instructions while it is loaded, from the kernel's own copy. The runs of one
 * load have its `tid` and `load_boot_ns` (those of its act) and no gap; followed by `count`
 * instructions of 8 bytes.
 */
struct wd_code {
	struct wd_record head;
	__u64 load_boot_ns;
	__u32 tid;
	__u32 first;	       /* index of the first one */
	__u32 count;
	__u32 total;	       /* of the whole program */
};

#endif /* WARDEN_FACTS_H */
