/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a policy is in force, as a number of entries and a digest of each map: nobody else may
 * open these maps, not even to read. The digest of a set does not depend on the order that the
 * kernel keeps it in: it is the sum, bit by bit, of those of its entries.
 */
#include "raise.h"

#include "json.h"
#include "sha256.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>

/* More than any of these maps holds, so that a walk ends. */
#define ENTRIES_MAX 65536

struct digest {
	__u32 entries;
	__u8 sum[WD_SHA256_LEN];
};

static void add(struct digest *digest, const void *bytes, size_t len)
{
	__u8 one[WD_SHA256_LEN];

	wd_sha256(bytes, len, one);
	for (size_t i = 0; i < sizeof(one); i++)
		digest->sum[i] ^= one[i];
	digest->entries++;
}

static void put(struct wd_json *json, const char *name, const struct digest *digest)
{
	char text[2 * WD_SHA256_LEN + 16];
	int len = snprintf(text, sizeof(text), "%u ", digest->entries);

	for (size_t i = 0; i < sizeof(digest->sum); i++)
		len += snprintf(text + len, sizeof(text) - len, "%02x", digest->sum[i]);
	wd_json_text(json, name, text);
}

static void put_scalars(const struct wd_config *config, __u32 half, struct wd_json *json)
{
	struct digest digest = {};

	add(&digest, &config->policy[half], sizeof(config->policy[half]));
	put(json, "scalars", &digest);
}

static void put_grants(const struct wd_set *set, __u32 half, struct wd_json *json)
{
	struct digest digest = {};

	for (__u32 i = 0; i < WD_MAX_GRANTS; i++) {
		struct {
			__u32 index;
			struct wd_grant grant;
		} entry = { .index = i };
		__u32 key = half * WD_MAX_GRANTS + i;

		if (!bpf_map_lookup_elem(set->map[WD_MAP_GRANTS], &key, &entry.grant))
			add(&digest, &entry, sizeof(entry));
	}
	put(json, "grants", &digest);
}

/* Whether a loader was new in the policy is no part of what it says. */
static void put_loaders(const struct wd_set *set, __u32 half, struct wd_json *json)
{
	int map = set->map[WD_MAP_LOADERS];
	struct wd_exe_key key, *last = NULL;
	struct digest digest = {};

	for (int i = 0; i < ENTRIES_MAX && !bpf_map_get_next_key(map, last, &key); i++) {
		struct {
			struct wd_exe_key key;
			struct wd_loader_half loader;
		} entry;
		struct wd_loader value;

		last = &key;
		if (bpf_map_lookup_elem(map, &key, &value) || !value.half[half].index)
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.key = key;
		entry.loader = value.half[half];
		entry.loader.fresh = 0;
		add(&digest, &entry, sizeof(entry));
	}
	put(json, "loaders", &digest);
}

/* A map without halves, whose key and value are no longer than these. */
static void put_map(const struct wd_set *set, enum wd_map which, const char *name,
		    struct wd_json *json)
{
	__u8 entry[512], key[128], *last = NULL;
	struct bpf_map_info info = {};
	struct digest digest = {};
	__u32 len = sizeof(info);
	int map = set->map[which];

	if (bpf_obj_get_info_by_fd(map, &info, &len) || info.key_size > sizeof(key) ||
	    info.key_size + info.value_size > sizeof(entry))
		return wd_json_text(json, name, "unreadable");
	for (int i = 0; i < ENTRIES_MAX && !bpf_map_get_next_key(map, last, key); i++) {
		last = key;
		memcpy(entry, key, info.key_size);
		if (!bpf_map_lookup_elem(map, key, entry + info.key_size))
			add(&digest, entry, info.key_size + info.value_size);
	}
	put(json, name, &digest);
}

void wd_show_in_force(const struct wd_set *set, struct wd_json *json)
{
	struct wd_config config;

	if (wd_config_read(set, &config))
		return;
	wd_json_open(json, "in_force", '{');
	put_scalars(&config, config.half % WD_POLICY_HALVES, json);
	put_grants(set, config.half % WD_POLICY_HALVES, json);
	put_loaders(set, config.half % WD_POLICY_HALVES, json);
	put_map(set, WD_MAP_KFUNCS, "kfuncs", json);
	put_map(set, WD_MAP_RAISES, "raises", json);
	put_map(set, WD_MAP_OPERATORS, "operators", json);
	wd_json_close(json, '}');
}
