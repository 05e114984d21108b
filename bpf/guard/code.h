/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a loader maps to execute. Its file has the label, but a library runs as it too: of a loader
 * whose policy lists code, any other takes the label away, until the next exec. That is kept by
 * thread: one that maps later tells of itself and of what it starts.
 *
 * Fails closed where the kernel tells no content: then the file itself must be the one listed.
 */
#ifndef WARDEN_CODE_H
#define WARDEN_CODE_H

#include "call.h"

#define HASH_ALGO_SHA256 4

/* The storage of a task whose loader may map listed code only, and has not yet mapped other. */
static __always_inline struct wd_task *listed_store(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct wd_task *store = bpf_task_storage_get(&tasks, task, 0, 0);
	struct wd_loader_half *loader;
	struct wd_config *cfg;

	if (!store || store->label == WD_LABEL_CALL || store->mixed)
		return NULL;
	cfg = active_config();
	loader = cfg ? wd_loader_of(&store->exe, cfg->half) : NULL;
	return loader && loader->listed ? store : NULL;
}

static __always_inline bool is_content(const struct wd_code_file *file, const __u8 *digest)
{
	const __u64 *want = (const __u64 *)file->digest, *have = (const __u64 *)digest;
	__u64 differs = 0;

	for (__u32 i = 0; digest && i < WD_DIGEST_LEN / sizeof(__u64); i++)
		differs |= want[i] ^ have[i];
	return differs == 0;
}

/* `digest`: of the file, or NULL. */
static __always_inline void mix(struct wd_task *store, const struct wd_exe_key *file,
				const __u8 *digest)
{
	struct wd_config *cfg = wd_config();
	struct wd_loader_half *loader;
	struct wd_code_key key = {};
	struct wd_code_file *found;

	if (!cfg || wd_same_exe(file, &store->exe))
		return;
	loader = wd_loader_of(&store->exe, cfg->half);
	key.file = *file;
	key.half = wd_bounded(cfg->half, WD_POLICY_HALVES);
	key.loader = loader ? loader->index : 0;
	found = bpf_map_lookup_elem(&code, &key);
	if (!found || !is_content(found, digest))
		store->mixed = 1;
}

/* In a sleepable program. Its own function: the stack of what else a mapping means is full. */
static __noinline int mapped_code(struct file *file)
{
	struct wd_task *store = listed_store();
	__u8 digest[WD_DIGEST_LEN] = {};
	struct wd_exe_key key = {};
	bool known;

	if (!store)
		return 0;
	wd_exe_key(file, &key);
	known = is_lsm &&
		bpf_ima_file_hash(file, digest, sizeof(digest)) == HASH_ALGO_SHA256;
	mix(store, &key, known ? digest : NULL);
	return 0;
}

#endif /* WARDEN_CODE_H */
