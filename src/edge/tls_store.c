#include "tls_private.h"

#include "aloha/log.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    LOOK_MS = 60 * 1000, /* at the files, the clock and this machine's addresses */
    SOON_DAYS = 14,
    DAY_S = 24 * 3600,
    GOODBYE_MS = 1000,
};

/* A file as it was when it was read last. */
struct look {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct tls_store {
    struct tls_store_options options;
    uv_loop_t *loop;
    SSL_CTX *context; /* what new connections get */
    struct tls_facts facts;
    struct look seen[TLS_WATCH_FILES]; /* when it was tried last, with whatever success */
    bool failed;                       /* then */
    char problem[256];                 /* what was told of it */
    int64_t days_told;                 /* that were left when that was told last */
    struct tls_watch watch;
    uv_timer_t tick;
    struct tls_links links;
    unsigned handles_open;
    bool stopping;
};

bool tls_store_is_self_signed(const struct tls_store *store)
{
    return !store->options.cert_file[0];
}

/* ---- the pair in use ---- */

static SSL_CTX *stage(struct tls_store *store, struct tls_facts *facts,
                      struct tls_complaint complaint)
{
    const struct tls_store_options *options = &store->options;

    if (tls_store_is_self_signed(store))
        return tls_self_load(options->state_dir, options->hosts, facts, complaint);
    return tls_pair_load(options->cert_file, options->key_file, facts, complaint);
}

/* Connections that are open keep the context that they have: it counts its users. */
static void swap(struct tls_store *store, SSL_CTX *context, const struct tls_facts *facts)
{
    SSL_CTX_free(store->context);
    store->context = context;
    store->facts = *facts;
    store->days_told = INT64_MAX;
    store->options.metrics->values[METRIC_TLS_EXPIRY] =
        facts->expires_s > 0 ? (uint64_t)facts->expires_s : 0;
}

static void log_pair(const struct tls_store *store, const char *event)
{
    char expires[TLS_TIME_SIZE];

    tls_write_time(store->facts.expires_s, expires);
    log_info(event, log_text("source", tls_store_is_self_signed(store) ? "self-signed" : "files"),
             log_text("sha256", store->facts.fingerprint), log_text("expires", expires),
             log_text("trusted", store->facts.trusted ? "yes" : "no"));
}

/* It serves, but browsers will say no: somebody has mixed two names up. */
static void warn_of_names(const struct tls_store *store)
{
    const struct hosts *hosts = store->options.hosts;

    for (size_t i = 0; i < hosts->count; i++)
        if (!tls_pair_has_name(store->context, hosts->items[i]))
            log_warning("tls_name_missing", log_str("host", hosts->items[i]));
}

/* Once a day, for as long as it is soon. */
static void warn_of_expiry(struct tls_store *store)
{
    int64_t left_s = store->facts.expires_s - (int64_t)time(NULL);
    int64_t days = left_s > 0 ? left_s / DAY_S : -1;
    char expires[TLS_TIME_SIZE];

    if (days >= SOON_DAYS || days == store->days_told)
        return;
    store->days_told = days;
    tls_write_time(store->facts.expires_s, expires);
    if (days < 0)
        log_error("tls_certificate_expired", log_text("expires", expires));
    else
        log_warning("tls_certificate_expires_soon", log_text("expires", expires),
                    log_uint("days", (uint64_t)days));
}

/* ---- looking again ---- */

static void look_at(const struct tls_store *store, struct look out[TLS_WATCH_FILES])
{
    const char *paths[TLS_WATCH_FILES] = {store->options.cert_file, store->options.key_file};
    struct stat info;

    memset(out, 0, TLS_WATCH_FILES * sizeof *out);
    for (size_t i = 0; i < TLS_WATCH_FILES; i++) {
        if (!paths[i][0] || stat(paths[i], &info) != 0)
            continue;
        out[i].device = info.st_dev;
        out[i].inode = info.st_ino;
        out[i].size = info.st_size;
        out[i].modified = info.st_mtim;
        out[i].changed = info.st_ctim;
    }
}

static void watch_files(struct tls_store *store)
{
    const char *paths[TLS_WATCH_FILES] = {store->options.cert_file, store->options.key_file};

    if (!tls_store_is_self_signed(store))
        tls_watch_files(&store->watch, paths);
}

static void note_failure(struct tls_store *store, const char *problem)
{
    store->failed = true;
    snprintf(store->problem, sizeof store->problem, "%s", problem);
    store->options.metrics->values[METRIC_TLS_RELOAD_FAILURES]++;
    log_error("tls_reload_failed", log_text("reason", problem));
}

bool tls_store_reload(struct tls_store *store)
{
    struct tls_facts facts = {0};
    char problem[sizeof store->problem] = "";

    look_at(store,
            store->seen); /* before it is read: what changes meanwhile is seen the next time */
    watch_files(store);
    SSL_CTX *context = stage(store, &facts, (struct tls_complaint){problem, sizeof problem});
    if (!context) {
        note_failure(store, problem);
        return false;
    }
    store->failed = false;
    swap(store, context, &facts);
    store->options.metrics->values[METRIC_TLS_RELOADS]++;
    log_pair(store, "tls_reloaded");
    warn_of_names(store);
    warn_of_expiry(store);
    return true;
}

/* One that was refused may have become good without a change of the files: it may be valid by now, or readable.
 * What is wrong is said again only when it is something else. */
static void try_again(struct tls_store *store)
{
    struct tls_facts facts = {0};
    char problem[sizeof store->problem] = "";
    SSL_CTX *context = stage(store, &facts, (struct tls_complaint){problem, sizeof problem});

    SSL_CTX_free(context);
    if (context || strcmp(problem, store->problem) != 0)
        (void)tls_store_reload(store);
}

static void look_again(void *ctx)
{
    struct tls_store *store = ctx;
    struct look now[TLS_WATCH_FILES];

    look_at(store, now);
    if (memcmp(now, store->seen, sizeof now) != 0)
        (void)tls_store_reload(store);
}

static void on_tick(uv_timer_t *timer)
{
    struct tls_store *store = timer->data;

    if (tls_store_is_self_signed(store)) {
        if (tls_self_is_stale(store->context, store->options.hosts))
            (void)tls_store_reload(store);
    } else if (store->failed) {
        try_again(store);
    } else {
        look_again(store);
    }
    warn_of_expiry(store);
}

/* ---- for links and others ---- */

struct tls_links *tls_store_links(struct tls_store *store)
{
    return &store->links;
}

struct metrics *tls_store_metrics(struct tls_store *store)
{
    return store->options.metrics;
}

SSL *tls_store_session(struct tls_store *store)
{
    return store->stopping ? NULL : SSL_new(store->context);
}

bool tls_store_is_trusted(const struct tls_store *store)
{
    return store->facts.trusted;
}

const char *tls_store_fingerprint(const struct tls_store *store)
{
    return store->facts.fingerprint;
}

/* ---- making and ending ---- */

static void free_when_done(struct tls_store *store)
{
    if (store->handles_open || store->links.count)
        return;
    SSL_CTX_free(store->context);
    free(store);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tls_store *store = handle->data;

    store->handles_open--;
    free_when_done(store);
}

/* The links' timer is the last to go: they need it. */
void tls_store_link_gone(struct tls_store *store)
{
    if (!store->stopping || store->links.count)
        return;
    store->links.timer.data = store;
    uv_close((uv_handle_t *)&store->links.timer, on_handle_closed);
}

static void start_handles(struct tls_store *store)
{
    tls_links_init(&store->links, store->loop);
    tls_watch_init(&store->watch, store->loop, look_again, store);
    uv_timer_init(store->loop, &store->tick);
    store->tick.data = store;
    store->handles_open = 1 + 1 + TLS_WATCH_HANDLES;
    uv_timer_start(&store->tick, on_tick, LOOK_MS, LOOK_MS);
}

struct tls_store *tls_store_new(uv_loop_t *loop, const struct tls_store_options *options,
                                char *problem, size_t problem_size)
{
    struct tls_complaint complaint = {problem, problem_size};
    struct tls_facts facts = {0};
    struct tls_store *store = calloc(1, sizeof *store);

    if (!store) {
        tls_complain(complaint, "cannot start", "no memory");
        return NULL;
    }
    store->options = *options;
    store->loop = loop;
    look_at(store, store->seen);
    SSL_CTX *context = stage(store, &facts, complaint);
    if (!context) {
        free(store);
        return NULL;
    }
    start_handles(store);
    watch_files(store);
    swap(store, context, &facts);
    log_pair(store, "tls_certificate");
    warn_of_names(store);
    warn_of_expiry(store);
    return store;
}

void tls_store_stop(struct tls_store *store)
{
    if (!store)
        return;
    store->stopping = true;
    tls_links_stop(&store->links, GOODBYE_MS);
    tls_watch_close(&store->watch, on_handle_closed, store);
    uv_close((uv_handle_t *)&store->tick, on_handle_closed);
    tls_store_link_gone(store);
}
