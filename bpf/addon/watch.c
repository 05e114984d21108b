/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether fds are ready, told by the event loop of the thread that asks: nobody has to wait for
 * them. What was told once is told again only after the next `watchArm`.
 */
#include "addon.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

#define WD_MAX_WATCHED 16

struct watch {
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
	uint32_t count;
	/* Polls that are not closed yet, and one for the handle that JavaScript has. */
	uint32_t users;
	bool closing;
	uv_poll_t polls[WD_MAX_WATCHED];
};

static void drop(struct watch *watch)
{
	if (--watch->users == 0)
		free(watch);
}

static void on_closed(uv_handle_t *poll)
{
	struct watch *watch = poll->data;

	if (--watch->count == 0)
		napi_remove_async_cleanup_hook(watch->hook);
	drop(watch);
}

static void begin_close(struct watch *watch)
{
	const uint32_t count = watch->count;

	if (watch->closing)
		return;
	watch->closing = true;
	for (uint32_t i = 0; i < count; i++)
		uv_close((uv_handle_t *)&watch->polls[i], on_closed);
}

/* The thread ends: the loop must have none of ours by then. */
static void at_exit(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	begin_close(data);
}

static void finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	begin_close(data);
	drop(data);
}

static void tell(struct watch *watch, int64_t ready)
{
	napi_value callback, receiver, argument, exception;
	napi_handle_scope scope;

	if (napi_open_handle_scope(watch->env, &scope) != napi_ok)
		return;
	napi_get_reference_value(watch->env, watch->callback, &callback);
	napi_get_global(watch->env, &receiver);
	argument = wd_number(watch->env, ready);
	if (napi_make_callback(watch->env, watch->context, receiver, callback, 1, &argument,
			       NULL) == napi_pending_exception &&
	    napi_get_and_clear_last_exception(watch->env, &exception) == napi_ok)
		napi_fatal_exception(watch->env, exception);
	napi_close_handle_scope(watch->env, scope);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;

	(void)status;
	(void)events;
	for (uint32_t i = 0; i < watch->count; i++)
		uv_poll_stop(&watch->polls[i]);
	tell(watch, 1 << (poll - watch->polls));
}

static int read_fds(napi_env env, napi_value list, int fds[WD_MAX_WATCHED], uint32_t *ret_count)
{
	uint32_t count;
	napi_value item;
	int64_t fd;

	if (napi_get_array_length(env, list, &count) != napi_ok || !count ||
	    count > WD_MAX_WATCHED) {
		wd_throw_type(env, "an array of 1 to 16 fds is needed");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		napi_get_element(env, list, i, &item);
		if (wd_int(env, item, &fd))
			return -EINVAL;
		fds[i] = (int)fd;
	}
	*ret_count = count;
	return 0;
}

static int start_polls(struct watch *watch, const int *fds, uint32_t count)
{
	uv_loop_t *loop;
	int err = 0;

	if (napi_get_uv_event_loop(watch->env, &loop) != napi_ok)
		return UV_EINVAL;
	for (; watch->count < count && !err; watch->count++) {
		uv_poll_t *poll = &watch->polls[watch->count];

		err = uv_poll_init(loop, poll, fds[watch->count]);
		if (err)
			break;
		poll->data = watch;
		/* Whoever waits keeps the process alive by itself. */
		uv_unref((uv_handle_t *)poll);
		watch->users++;
	}
	return err;
}

/* watchOpen([fd…], callback): a handle; the callback is given 1 << n when fd n is ready. */
napi_value wd_watchOpen(napi_env env, napi_callback_info info)
{
	int fds[WD_MAX_WATCHED], err;
	napi_value args[2], name, handle;
	struct watch *watch;
	uint32_t count;

	if (wd_args(env, info, 2, args) || read_fds(env, args[0], fds, &count))
		return NULL;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return wd_throw_errno(env, ENOMEM, "watch");
	watch->env = env;
	watch->users = 1;
	napi_create_string_utf8(env, "warden.watch", NAPI_AUTO_LENGTH, &name);
	napi_create_reference(env, args[1], 1, &watch->callback);
	napi_async_init(env, NULL, name, &watch->context);
	napi_add_async_cleanup_hook(env, at_exit, watch, &watch->hook);
	err = start_polls(watch, fds, count);
	if (!watch->count)
		napi_remove_async_cleanup_hook(watch->hook);
	/* From here on its finalizer closes what was opened. */
	napi_create_external(env, watch, finalize, NULL, &handle);
	return err ? wd_throw_errno(env, -err, "watch") : handle;
}

static struct watch *watch_of(napi_env env, napi_value value)
{
	struct watch *watch = NULL;

	if (napi_get_value_external(env, value, (void **)&watch) != napi_ok || watch->closing) {
		wd_throw_type(env, "an open watch is needed");
		return NULL;
	}
	return watch;
}

/* watchArm(watch, mask): tells of the next of these fds that is ready, and of no other. */
napi_value wd_watchArm(napi_env env, napi_callback_info info)
{
	struct watch *watch;
	napi_value args[2];
	int64_t mask;

	if (wd_args(env, info, 2, args) || wd_int(env, args[1], &mask))
		return NULL;
	watch = watch_of(env, args[0]);
	if (!watch)
		return NULL;
	for (uint32_t i = 0; i < watch->count; i++)
		if (mask & (1 << i))
			uv_poll_start(&watch->polls[i], UV_READABLE, on_ready);
		else
			uv_poll_stop(&watch->polls[i]);
	return wd_undefined(env);
}

/* watchClose(watch): nothing is told any more, and the fds may be closed. */
napi_value wd_watchClose(napi_env env, napi_callback_info info)
{
	struct watch *watch;
	napi_value args[1];

	if (wd_args(env, info, 1, args))
		return NULL;
	watch = watch_of(env, args[0]);
	if (!watch)
		return NULL;
	begin_close(watch);
	napi_delete_reference(env, watch->callback);
	napi_async_destroy(env, watch->context);
	return wd_undefined(env);
}
