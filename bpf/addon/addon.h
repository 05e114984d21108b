/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WARDEN_ADDON_H
#define WARDEN_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

struct wd_span {
	uint8_t *data;
	size_t length;
};

/* Throw and return NULL, so that a method can `return wd_throw_…`. */
napi_value wd_throw_errno(napi_env env, int error, const char *what);
napi_value wd_throw_type(napi_env env, const char *what);

/* 0, or a negative errno with a JavaScript exception pending. */
int wd_args(napi_env env, napi_callback_info info, size_t count, napi_value *ret_args);
int wd_bytes(napi_env env, napi_value value, struct wd_span *ret_span);
int wd_int(napi_env env, napi_value value, int64_t *ret_number);

napi_value wd_number(napi_env env, int64_t number);
napi_value wd_undefined(napi_env env);

napi_value wd_objGet(napi_env env, napi_callback_info info);
napi_value wd_mapInfo(napi_env env, napi_callback_info info);
napi_value wd_mapLookup(napi_env env, napi_callback_info info);
napi_value wd_mapUpdate(napi_env env, napi_callback_info info);
napi_value wd_mapDelete(napi_env env, napi_callback_info info);
napi_value wd_mapLookupBatch(napi_env env, napi_callback_info info);
napi_value wd_progTestRun(napi_env env, napi_callback_info info);
napi_value wd_ringOpen(napi_env env, napi_callback_info info);
napi_value wd_ringRead(napi_env env, napi_callback_info info);
napi_value wd_ringPositions(napi_env env, napi_callback_info info);
napi_value wd_ringRelease(napi_env env, napi_callback_info info);
napi_value wd_ringClose(napi_env env, napi_callback_info info);
napi_value wd_watchOpen(napi_env env, napi_callback_info info);
napi_value wd_watchArm(napi_env env, napi_callback_info info);
napi_value wd_watchClose(napi_env env, napi_callback_info info);
napi_value wd_bootOffset(napi_env env, napi_callback_info info);
napi_value wd_closeFd(napi_env env, napi_callback_info info);

#endif
