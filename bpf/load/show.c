/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel holds of subjects, for people and `explain`. */
#include "raise.h"

#include "json.h"

#include <bpf/bpf.h>
#include <sysexits.h>

#define NS_PER_MS 1000000ULL

static void show_part(struct wd_json *json, const struct wd_subject *subject, __u32 kind,
		      const char *id, __u64 until)
{
	char text[32];
	__u64 now = wd_boot_ns();

	if (until <= now)
		return;
	snprintf(text, sizeof(text), "%s:%u", wd_subject_kind_name(subject->kind), subject->id);
	wd_json_open(json, NULL, '{');
	wd_json_text(json, "subject", text);
	wd_json_text(json, "kind", wd_raise_kind_name(kind));
	wd_json_text(json, "id", id);
	wd_json_number(json, "left_ms", (until - now) / NS_PER_MS);
	wd_json_close(json, '}');
}

static void show_raises(const struct wd_set *set, struct wd_json *json)
{
	static struct wd_subject keys[WD_MAX_RAISES];
	__u32 count = wd_raise_list(set, keys);

	wd_json_open(json, "raises", '[');
	for (__u32 i = 0; i < count; i++) {
		struct wd_raise raise;

		if (wd_raise_read(set, &keys[i], &raise))
			continue;
		show_part(json, &keys[i], WD_RAISE_PIN, raise.pin_id,
			  raise.pin ? raise.pin_until : 0);
		show_part(json, &keys[i], WD_RAISE_GLASS, raise.glass_id, raise.glass_until);
		show_part(json, &keys[i], WD_RAISE_OBSERVE, raise.observe_id,
			  raise.observe_until);
	}
	wd_json_close(json, ']');
}

static void show_subjects(const struct wd_set *set, struct wd_json *json)
{
	struct wd_subject key, *last = NULL;
	int map = set->map[WD_MAP_SUBJECTS];
	char text[32];

	wd_json_open(json, "subjects", '[');
	for (int i = 0; i < WD_MAX_SUBJECTS && !bpf_map_get_next_key(map, last, &key); i++) {
		struct wd_subject_state state;

		last = &key;
		if (bpf_map_lookup_elem(map, &key, &state))
			continue;
		snprintf(text, sizeof(text), "%s:%u", wd_subject_kind_name(key.kind), key.id);
		wd_json_open(json, NULL, '{');
		wd_json_text(json, "subject", text);
		wd_json_number(json, "tier", state.tier);
		wd_json_number(json, "revision", state.revision);
		wd_json_bool(json, "pinned", state.pinned);
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

static void show_reflexes(const struct wd_set *set, struct wd_json *json)
{
	struct wd_subject key, *last = NULL;
	int map = set->map[WD_MAP_REFLEXES];
	char text[32];

	wd_json_open(json, "reflexes", '[');
	for (int i = 0; i < WD_MAX_SUBJECTS && !bpf_map_get_next_key(map, last, &key); i++) {
		struct wd_reflex reflex;

		last = &key;
		if (bpf_map_lookup_elem(map, &key, &reflex))
			continue;
		snprintf(text, sizeof(text), "%s:%u", wd_subject_kind_name(key.kind), key.id);
		wd_json_open(json, NULL, '{');
		wd_json_text(json, "subject", text);
		wd_json_number(json, "tier", reflex.tier);
		wd_json_close(json, '}');
	}
	wd_json_close(json, ']');
}

static void show_host(const struct wd_set *set, struct wd_json *json)
{
	struct wd_host host = {};
	__u32 zero = 0;

	if (bpf_map_lookup_elem(set->map[WD_MAP_HOST], &zero, &host) || !host.ceiling)
		return;
	wd_json_number(json, "host_ceiling", host.ceiling - 1);
}

void wd_raise_say(const struct wd_request *request, const char *effect)
{
	struct wd_json json = { .out = stdout };
	char text[32];

	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.raise/1");
	wd_json_text(&json, "effect", effect);
	wd_json_text(&json, "kind", wd_raise_kind_name(request->kind));
	wd_json_text(&json, "id", request->id);
	wd_json_number(&json, "for_ms", request->for_ms);
	wd_json_open(&json, "subjects", '[');
	for (__u32 i = 0; i < request->subjects_count; i++) {
		snprintf(text, sizeof(text), "%s:%u",
			 wd_subject_kind_name(request->subjects[i].kind),
			 request->subjects[i].id);
		wd_json_text(&json, NULL, text);
	}
	wd_json_close(&json, ']');
	wd_json_close(&json, '}');
	putchar('\n');
}

int wd_raise_show(const struct wd_set *set)
{
	struct wd_json json = { .out = stdout };

	wd_json_open(&json, NULL, '{');
	wd_json_text(&json, "schema", "warden.raises/1");
	show_subjects(set, &json);
	show_reflexes(set, &json);
	show_host(set, &json);
	show_raises(set, &json);
	wd_show_in_force(set, &json);
	wd_json_close(&json, '}');
	putchar('\n');
	return EX_OK;
}
