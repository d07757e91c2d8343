/* Notices that files have changed, however they are changed: written anew, renamed over, or reached by a symbolic
 * link that points elsewhere now. What is watched is the directories: that of the name, and that of the file
 * which it leads to. */
#include "tls_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    SETTLE_MS =
        500, /* after the last event: a certificate and its key are written one after the other */
    SETTLE_MAX_MS = 5000, /* where something else never rests */
};

static void on_settled(uv_timer_t *timer)
{
    struct tls_watch *watch = timer->data;

    watch->since_ms = 0;
    watch->on_change(watch->ctx);
}

static void on_change(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct tls_watch *watch = handle->data;
    uint64_t now_ms = uv_now(handle->loop);

    (void)name;
    (void)events;
    (void)status;
    if (!uv_is_active((uv_handle_t *)&watch->settle))
        watch->since_ms = now_ms;
    if (now_ms - watch->since_ms < SETTLE_MAX_MS)
        uv_timer_start(&watch->settle, on_settled, SETTLE_MS, 0);
}

/* The directory part of a path. */
static void directory_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;

    if (size >= PATH_MAX)
        size = 0;
    memcpy(out, path, size);
    out[size] = '\0';
    if (!size)
        memcpy(out, ".", 2);
}

static void watch_directory_of(struct tls_watch *watch, size_t at, const char *path)
{
    char directory[PATH_MAX];

    directory_of(path, directory);
    uv_fs_event_start(&watch->directories[at], on_change, directory, 0);
}

void tls_watch_files(struct tls_watch *watch, const char *const paths[TLS_WATCH_FILES])
{
    char target[PATH_MAX];

    for (size_t i = 0; i < TLS_WATCH_FILES; i++) {
        uv_fs_event_stop(&watch->directories[2 * i]);
        uv_fs_event_stop(&watch->directories[2 * i + 1]);
        watch_directory_of(watch, 2 * i, paths[i]);
        if (realpath(paths[i], target))
            watch_directory_of(watch, 2 * i + 1, target);
    }
}

void tls_watch_init(struct tls_watch *watch, uv_loop_t *loop, void (*on_change_of)(void *ctx),
                    void *ctx)
{
    watch->on_change = on_change_of;
    watch->ctx = ctx;
    uv_timer_init(loop, &watch->settle);
    watch->settle.data = watch;
    for (size_t i = 0; i < ARRAY_SIZE(watch->directories); i++) {
        uv_fs_event_init(loop, &watch->directories[i]);
        watch->directories[i].data = watch;
    }
}

void tls_watch_close(struct tls_watch *watch, uv_close_cb on_closed, void *data)
{
    watch->settle.data = data;
    uv_close((uv_handle_t *)&watch->settle, on_closed);
    for (size_t i = 0; i < ARRAY_SIZE(watch->directories); i++) {
        watch->directories[i].data = data;
        uv_close((uv_handle_t *)&watch->directories[i], on_closed);
    }
}
