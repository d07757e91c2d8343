#include "aloha/ops.h"

#include "aloha/log.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    CONNECTIONS_MAX = 64,
    CONNECTIONS_PER_ADDRESS = 16,
    IDLE_SECONDS = 10,
    DEADLINE_MS = 10000, /* for a whole connection: the library's own limit counts idle time only */
    MEMORY_PER_CONNECTION = 16 * 1024,
    METRICS_SIZE_MAX = 64 * 1024,
};

/* An accepted connection and until when it must be done. */
struct caller {
    struct MHD_Connection *connection;
    uint64_t deadline_ms;
    struct caller *next;
};

struct ops {
    struct MHD_Daemon *daemon;
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    uint16_t port;
    const struct metrics *metrics;
    const char *not_ready;
    struct caller *callers;
    unsigned handles_open;
};

/* ---- what it answers ---- */

struct reply {
    unsigned status;
    const char *type;
    struct buf body;
};

static void show_health(struct ops *ops, struct reply *reply)
{
    (void)ops;
    buf_add(&reply->body, STR("ok\n")); /* the loop turns, or nobody would say so */
}

static void show_readiness(struct ops *ops, struct reply *reply)
{
    reply->status = ops->not_ready ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    buf_add_format(&reply->body, "%s\n", ops->not_ready ? ops->not_ready : "ready");
}

static void show_metrics(struct ops *ops, struct reply *reply)
{
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(ops->metrics, &reply->body);
}

static const struct {
    const char *path;
    void (*show)(struct ops *ops, struct reply *reply);
} routes[] = {
    {"/healthz", show_health},
    {"/readyz", show_readiness},
    {"/metrics", show_metrics},
};

/* Only names of this machine's loopback: a page elsewhere whose name was pointed at 127.0.0.1 (DNS
 * rebinding) sends its own. */
static bool host_is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; host && i < ARRAY_SIZE(names); i++) {
        size_t size = strlen(names[i]);
        uint64_t port;
        if (strncasecmp(host, names[i], size) != 0)
            continue;
        if (host[size] == '\0' ||
            (host[size] == ':' && str_to_uint(str_of(host + size + 1), 65535, &port)))
            return true;
    }
    return false;
}

struct header_counts {
    unsigned host, content_length;
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct header_counts *counts = ctx;

    (void)kind;
    (void)value;
    counts->host += str_equal_nocase(str_of(key), STR("host"));
    counts->content_length += str_equal_nocase(str_of(key), STR("content-length"));
    return MHD_YES;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* 0, or the status of a request that this port does not take (SECURITY F9, R42, R43). */
static unsigned check_request(struct MHD_Connection *connection, const char *method)
{
    struct header_counts counts = {0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &counts);
    if (counts.host != 1 || counts.content_length > 1 || header_of(connection, "transfer-encoding"))
        return MHD_HTTP_BAD_REQUEST;
    if (!host_is_loopback(header_of(connection, "host")))
        return 421; /* misdirected request, RFC 9110 section 15.5.20 */
    if (header_of(connection, "origin"))
        return MHD_HTTP_FORBIDDEN; /* no page has business here */
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    return 0;
}

static void route(struct ops *ops, const char *path, struct reply *reply)
{
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        if (strcmp(path, routes[i].path) == 0) {
            routes[i].show(ops, reply);
            return;
        }
    }
    reply->status = MHD_HTTP_NOT_FOUND;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
{
    if (reply->status >= 400 && reply->body.size == 0)
        buf_add_format(&reply->body, "%u\n", reply->status);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(reply->body.size, reply->body.data, MHD_RESPMEM_MUST_COPY);
    buf_deinit(&reply->body);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "content-type", reply->type);
    MHD_add_response_header(response, "cache-control", "no-store");
    MHD_add_response_header(response, "x-content-type-options", "nosniff");
    MHD_add_response_header(response, "connection", "close"); /* one answer a connection: F9 */
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "allow", "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **request)
{
    struct ops *ops = ctx;
    struct reply reply = {.type = "text/plain; charset=utf-8"};

    (void)version;
    (void)body;
    (void)body_size;
    (void)request;
    buf_init(&reply.body, METRICS_SIZE_MAX);
    reply.status = check_request(connection, method);
    if (!reply.status) {
        reply.status = MHD_HTTP_OK;
        route(ops, path, &reply);
    }
    return send_reply(connection, &reply);
}

/* ---- its place in the loop ---- */

static void run(struct ops *ops);

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

/* Ends connections that have been open for too long, however busy they look. Returns when to look
 * again, in milliseconds; UINT64_MAX for never. */
static uint64_t end_overdue(struct ops *ops)
{
    uint64_t now_ms = uv_now(ops->loop), next_ms = UINT64_MAX;

    for (struct caller *caller = ops->callers; caller; caller = caller->next) {
        if (caller->deadline_ms <= now_ms) {
            const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(caller->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
            if (info)
                shutdown(info->connect_fd, SHUT_RDWR);
            caller->deadline_ms = now_ms + DEADLINE_MS;
        }
        if (caller->deadline_ms - now_ms < next_ms)
            next_ms = caller->deadline_ms - now_ms;
    }
    return next_ms;
}

/* libmicrohttpd with an outer epoll wants to be run after every event, and again when it says: the
 * timer is not optional. */
static void run(struct ops *ops)
{
    MHD_UNSIGNED_LONG_LONG library_ms = 0;
    uint64_t wait_ms = end_overdue(ops);

    MHD_run(ops->daemon);
    if (MHD_get_timeout(ops->daemon, &library_ms) == MHD_YES && library_ms < wait_ms)
        wait_ms = library_ms;
    if (wait_ms == UINT64_MAX)
        uv_timer_stop(&ops->timer);
    else
        uv_timer_start(&ops->timer, on_timer, wait_ms, 0);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct ops *ops = ctx;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct caller *caller = calloc(1, sizeof *caller);
        if (!caller)
            return;
        caller->connection = connection;
        caller->deadline_ms = uv_now(ops->loop) + DEADLINE_MS;
        caller->next = ops->callers;
        ops->callers = caller;
        *socket_context = caller;
        return;
    }
    for (struct caller **at = &ops->callers; *at; at = &(*at)->next) {
        if (*at == *socket_context) {
            struct caller *gone = *at;
            *at = gone->next;
            free(gone);
            return;
        }
    }
}

/* Paths are compared as they came: no route here has an escape, and an escaped NUL would cut one.
 */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

static void log_from_library(void *ctx, const char *format, va_list args)
{
    char text[256];

    (void)ctx;
/* The library's own format; it is not ours to check. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int size = vsnprintf(text, sizeof text, format, args);
#pragma GCC diagnostic pop
    if (size > 0)
        log_debug("mhd_said", log_text("text", text));
}

/* ---- making and ending ---- */

static struct MHD_Daemon *start_daemon(struct ops *ops, uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_SOCK_ADDR, 0, &at},
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_ADDRESS, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_LISTENING_ADDRESS_REUSE, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, ops},
        {MHD_OPTION_END, 0, NULL},
    };
    /* The logger is given first: it must hear of what goes wrong in the other options. */
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, port, NULL, NULL, on_request, ops,
                            MHD_OPTION_EXTERNAL_LOGGER, log_from_library, NULL, MHD_OPTION_ARRAY,
                            options, MHD_OPTION_END);
}

static uint16_t listening_port(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

struct ops *ops_new(uv_loop_t *loop, const struct ops_options *options, char *problem,
                    size_t problem_size)
{
    struct ops *ops = calloc(1, sizeof *ops);
    if (!ops) {
        snprintf(problem, problem_size, "out of memory");
        return NULL;
    }
    ops->loop = loop;
    ops->metrics = options->metrics;
    ops->not_ready = options->not_ready;
    ops->daemon = start_daemon(ops, options->port);
    if (!ops->daemon) {
        snprintf(problem, problem_size,
                 "cannot listen on the operator's port %u of 127.0.0.1; --ops-port takes another",
                 options->port);
        free(ops);
        return NULL;
    }
    ops->port = listening_port(ops->daemon);
    uv_poll_init(loop, &ops->poll,
                 MHD_get_daemon_info(ops->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_timer_init(loop, &ops->timer);
    ops->poll.data = ops->timer.data = ops;
    ops->handles_open = 2;
    uv_poll_start(&ops->poll, UV_READABLE, on_poll);
    return ops;
}

uint16_t ops_port(const struct ops *ops)
{
    return ops->port;
}

void ops_set_not_ready(struct ops *ops, const char *why)
{
    ops->not_ready = why;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct ops *ops = handle->data;
    if (--ops->handles_open == 0)
        free(ops);
}

void ops_stop(struct ops *ops)
{
    if (!ops)
        return;
    uv_poll_stop(&ops->poll);
    MHD_stop_daemon(ops->daemon);
    uv_close((uv_handle_t *)&ops->poll, on_handle_closed);
    uv_close((uv_handle_t *)&ops->timer, on_handle_closed);
}
