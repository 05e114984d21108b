/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The few kernel types that our programs read, with the fields they read and no others. CO-RE finds
 * the real offsets at load, so a build needs no BTF of the machine it will run on.
 *
 * A name after ___ is a variant: the same type as another kernel release has it.
 */
#ifndef WARDEN_KERNEL_H
#define WARDEN_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} wd_kuid;

struct qstr {
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	wd_kuid i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__u32 i_generation;
	void *i_private;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mount *mnt_master;
	int mnt_group_id;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	const void *f_op;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

/* overlayfs; in vmlinux or in its module's BTF */
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct vm_area_struct {
	struct file *vm_file;
};

struct mm_struct {
	struct file *exe_file;
};

struct linux_binprm {
	struct file *file;
};

struct kernfs_node {
	struct kernfs_node *__parent; /* 6.15 and later */
	const char *name;
	__u64 id;
};

struct kernfs_node___614 {
	struct kernfs_node *parent; /* up to 6.14 */
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_common {
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct sk_buff {
	unsigned int len;
	unsigned char *data;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct time_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct time_namespace *time_ns;
};

struct user_namespace {
	int level;
	struct ns_common ns;
};

/* kernel_cap_t: an array of two words up to 6.2, one 64-bit word since; the same bytes */
struct wd_capabilities {
	__u64 bits;
};

struct cred {
	wd_kuid uid;
	wd_kuid euid;
	struct wd_capabilities cap_effective;
	struct user_namespace *user_ns;
};

struct thread_info {
	unsigned long flags;
	__u32 status;
};

struct seccomp {
	int mode;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int ptrace;
	struct seccomp seccomp;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	const struct cred *real_cred;
	const struct cred *cred;
	struct css_set *cgroups;
	wd_kuid loginuid;
	unsigned int sessionid;
	char comm[16];
};

struct user_struct {
	wd_kuid uid;
};

struct btf_type {
	__u32 name_off;
};

struct btf {
	struct btf_type **types;
	const char *strings;
	__u32 nr_types;
	__u32 id;
	struct btf *base_btf;
	__u32 start_id;
	__u32 start_str_off;
	char name[56];
};

struct bpf_kfunc_btf {
	struct btf *btf;
	__u16 offset;
};

struct bpf_kfunc_btf_tab {
	struct bpf_kfunc_btf descs[256];
	__u32 nr_descs;
};

struct bpf_map;
struct bpf_prog;

struct bpf_prog_aux {
	__u32 used_map_cnt;
	__u32 id;
	__u32 attach_btf_id;
	struct btf *attach_btf;
	struct bpf_prog *dst_prog;
	struct bpf_kfunc_btf_tab *kfunc_btf_tab;
	struct bpf_map **used_maps;
	struct user_struct *user;
	__u64 load_time;
	char name[16];
	struct btf *btf;
};

struct bpf_prog_aux___61 {
	bool sleepable; /* up to 6.8 */
};

struct wd_signature {
	__s32 keyring_serial;
	__u8 keyring_type;
	__u8 verdict;
};

struct bpf_prog_aux___618 {
	bool kprobe_write_ctx; /* 6.18 and later */
};

struct bpf_prog_aux___72 {
	struct wd_signature sig; /* 7.2 and later */
};

struct bpf_prog {
	__u16 gpl_compatible : 1;
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	__u32 len;
	__u8 tag[8];
	struct bpf_prog_aux *aux;
	struct bpf_insn insnsi[0];
};

struct bpf_prog___69 {
	__u16 sleepable : 1; /* 6.9 and later */
};

/* 6.9 and later, and with it the hook bpf_prog_load */
struct bpf_token {
	void *userns;
};

struct bpf_prog___618 {
	__u8 digest[32]; /* 6.18 and later */
};

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 map_flags;
	__u32 id;
	char name[16];
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

struct bpf_link_primer {
	__u32 id;
};

struct bpf_link___617 {
	enum bpf_attach_type attach_type; /* 6.17 and later */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long bx;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
};

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
#else
#error "bpf-warden knows the system calls of x86-64 and arm64 only"
#endif

#pragma clang attribute pop

#endif /* WARDEN_KERNEL_H */
