/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services' only door to the kernel: pinned maps and rings over raw bpf(2), mmap and epoll.
 *
 *   objGet mapInfo mapLookup mapUpdate mapDelete mapLookupBatch    maps.c
 *   ringOpen ringRead ringPositions ringRelease ringClose          ring.c
 *   watchOpen watchArm watchClose                                  watch.c
 *   bootOffset closeFd                                             clock.c
 *
 * It checks what JavaScript passes (lengths against the map's own sizes) and nothing else: meaning
 * lives in bpf/src. Every failure is a JavaScript Error with `code` (errno name) and `syscall`.
 */
#include "addon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

napi_value wd_throw_errno(napi_env env, int error, const char *what)
{
	napi_value code, message, exception;
	char text[256];
	const char *name = strerrorname_np(error);

	snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
	napi_create_string_utf8(env, name ? name : "EUNKNOWN", NAPI_AUTO_LENGTH, &code);
	napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
	napi_create_error(env, code, message, &exception);
	napi_throw(env, exception);
	return NULL;
}

napi_value wd_throw_type(napi_env env, const char *what)
{
	napi_throw_type_error(env, "ERR_INVALID_ARG", what);
	return NULL;
}

int wd_args(napi_env env, napi_callback_info info, size_t count, napi_value *ret_args)
{
	size_t got = count;

	if (napi_get_cb_info(env, info, &got, ret_args, NULL, NULL) != napi_ok || got < count) {
		wd_throw_type(env, "too few arguments");
		return -EINVAL;
	}
	return 0;
}

int wd_bytes(napi_env env, napi_value value, struct wd_span *ret_span)
{
	napi_typedarray_type type;
	void *data;
	size_t length;

	if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL) != napi_ok ||
	    type != napi_uint8_array) {
		wd_throw_type(env, "a Uint8Array is needed");
		return -EINVAL;
	}
	ret_span->data = data;
	ret_span->length = length;
	return 0;
}

int wd_int(napi_env env, napi_value value, int64_t *ret_number)
{
	if (napi_get_value_int64(env, value, ret_number) != napi_ok) {
		wd_throw_type(env, "a number is needed");
		return -EINVAL;
	}
	return 0;
}

napi_value wd_number(napi_env env, int64_t number)
{
	napi_value value;

	napi_create_int64(env, number, &value);
	return value;
}

napi_value wd_undefined(napi_env env)
{
	napi_value value;

	napi_get_undefined(env, &value);
	return value;
}

#define METHOD(name) { #name, NULL, wd_##name, NULL, NULL, NULL, napi_enumerable, NULL }

NAPI_MODULE_INIT()
{
	const napi_property_descriptor methods[] = {
		METHOD(objGet),	       METHOD(mapInfo),	      METHOD(mapLookup),
		METHOD(mapUpdate),     METHOD(mapDelete),     METHOD(mapLookupBatch),
		METHOD(ringOpen),      METHOD(ringRead),      METHOD(ringPositions),
		METHOD(ringRelease),   METHOD(ringClose),     METHOD(watchOpen),
		METHOD(watchArm),      METHOD(watchClose),    METHOD(closeFd),
		METHOD(progTestRun),   METHOD(bootOffset),
	};

	napi_define_properties(env, exports, sizeof(methods) / sizeof(methods[0]), methods);
	return exports;
}
