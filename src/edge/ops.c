#include "ops_private.h"

#include "aloha/log.h"
#include "aloha/sockets.h"
#include "aloha/tls_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 64,
    CONNECTIONS_PER_ADDRESS = 16,
    IDLE_SECONDS = 10,
    MEMORY_PER_CONNECTION = 16 * 1024,
    SOCKET_MODE = 0660, /* of a socket file */
};

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

static uint64_t min_ms(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
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
            caller->deadline_ms = now_ms + OPS_DEADLINE_MS;
        }
        next_ms = min_ms(next_ms, caller->deadline_ms - now_ms);
    }
    return next_ms;
}

/* libmicrohttpd with an outer epoll wants to be run after every event, and again when it says: the
 * timer is not optional. */
static void run(struct ops *ops)
{
    MHD_UNSIGNED_LONG_LONG library_ms = 0;

    (void)ops_release_held(ops, false);
    MHD_run(ops->daemon);
    uint64_t wait_ms = min_ms(end_overdue(ops), ops_release_held(ops, false));
    if (MHD_get_timeout(ops->daemon, &library_ms) == MHD_YES)
        wait_ms = min_ms(wait_ms, library_ms);
    if (wait_ms == UINT64_MAX)
        uv_timer_stop(&ops->timer);
    else
        uv_timer_start(&ops->timer, on_timer, wait_ms, 0);
}

static void on_pulse(uv_timer_t *timer)
{
    struct ops *ops = timer->data;
    uint64_t now_ms = uv_now(ops->loop), lag_ms = now_ms - ops->pulse_ms;

    lag_ms = lag_ms > OPS_PULSE_MS ? lag_ms - OPS_PULSE_MS : 0;
    if (lag_ms >= ops_recent_lag_ms(ops)) {
        ops->lag_ms = lag_ms;
        ops->lag_seen_ms = now_ms;
    }
    ops->pulse_ms = now_ms;
}

/* ---- connections ---- */

static socklen_t size_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6  ? sizeof(struct sockaddr_in6)
           : address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                           : sizeof(sa_family_t);
}

static void on_accept(void *ctx, int fd, const struct sockaddr *from)
{
    struct ops *ops = ctx;

    if (ops->options.tls)
        fd = tls_link_open(ops->loop, ops->options.tls, fd);
    if (fd < 0)
        return;
    /* It takes the descriptor, and closes it when there are too many. */
    (void)MHD_add_connection(ops->daemon, fd, from, size_of(from));
    run(ops);
}

static void begin_connection(struct ops *ops, struct MHD_Connection *connection, void **context)
{
    struct caller *caller = calloc(1, sizeof *caller);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!caller)
        return;
    caller->connection = connection;
    caller->deadline_ms = uv_now(ops->loop) + OPS_DEADLINE_MS;
    if (info && info->client_addr)
        caller->ip = listener_ip_of(info->client_addr);
    caller->next = ops->callers;
    ops->callers = caller;
    *context = caller;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct ops *ops = ctx;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        begin_connection(ops, connection, context);
        return;
    }
    for (struct caller **at = &ops->callers; *at; at = &(*at)->next) {
        if (*at == *context) {
            struct caller *gone = *at;
            *at = gone->next;
            free(gone);
            return;
        }
    }
}

/* Paths are compared as they came: no route here has an escape, and an escaped NUL would cut one. */
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

/* ---- where it listens ---- */

static bool is_unix(const char *bind)
{
    return socket_path(bind) != NULL;
}

bool ops_bind_is_valid(const char *bind)
{
    struct ip ip;

    /* Digits that getaddrinfo() knows and we do not, "0" or "127.1", could not be judged below. */
    return is_unix(bind) ? socket_address_is_valid(bind) : ip_read(str_of(bind), &ip);
}

bool ops_bind_is_exposed(const char *bind)
{
    static const struct ip loopback = {.bytes = {[15] = 1}};
    struct ip ip;

    if (is_unix(bind))
        return false;
    if (!ip_read(str_of(bind), &ip))
        return true;
    return ip_is_ipv4(ip) ? ip.bytes[12] != 127 : !ip_equal(ip, loopback);
}

bool ops_check(const struct config *config, struct operator_token *token, char *problem,
               size_t problem_size)
{
    char where[CONFIG_WHERE_SIZE];

    config_where(config, "ops-bind", where);
    if (!ops_bind_is_valid(config->ops_bind)) {
        snprintf(problem, problem_size, "%s: \"%.80s\" is no numeric address or unix:/path", where,
                 config->ops_bind);
        return false;
    }
    if (!ops_token_load(token, &config->ops_token, problem, problem_size))
        return false;
    if (!ops_bind_is_exposed(config->ops_bind) || (config_has_tls(config) && token->is_set))
        return true;
    snprintf(problem, problem_size,
             "%s: %.60s can be reached from elsewhere, which needs TLS and --ops-token-file", where,
             config->ops_bind);
    return false;
}

static bool start_listening(struct ops *ops, char *problem, size_t problem_size)
{
    const struct ops_options *options = &ops->options;
    char reason[200];

    struct listener_options listener = {
        .addresses = options->bind,
        .given = options->given,
        .port = options->port,
        .port_option = "--ops-port",
        .socket_mode = SOCKET_MODE,
        .on_accept = on_accept,
        .ctx = ops,
    };

    ops->listener = listener_open(ops->loop, &listener, reason, sizeof reason);
    if (ops->listener)
        return true;
    snprintf(problem, problem_size, "the operator's plane: %s", reason);
    return false;
}

/* ---- making and ending ---- */

static struct MHD_Daemon *start_daemon(struct ops *ops)
{
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_ADDRESS, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, ops},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)ops_begin_request, ops},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)ops_end_request, ops},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* The logger is given first: it must hear of what goes wrong in the other options. */
    return MHD_start_daemon(flags, 0, NULL, NULL, ops_on_request, ops, MHD_OPTION_EXTERNAL_LOGGER,
                            log_from_library, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void start_handles(struct ops *ops)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(ops->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    uv_poll_init(ops->loop, &ops->poll, info->epoll_fd);
    uv_timer_init(ops->loop, &ops->timer);
    uv_timer_init(ops->loop, &ops->pulse);
    ops->poll.data = ops->timer.data = ops->pulse.data = ops;
    ops->handles_open = 3;
    uv_poll_start(&ops->poll, UV_READABLE, on_poll);
    uv_timer_start(&ops->pulse, on_pulse, OPS_PULSE_MS, OPS_PULSE_MS);
}

static struct ops *make(uv_loop_t *loop, const struct ops_options *options)
{
    struct ops *ops = calloc(1, sizeof *ops);

    if (!ops)
        return NULL;
    ops->loop = loop;
    ops->options = *options;
    ops->policy = (struct operator_policy){
        .hosts = options->hosts,
        .metrics_open = options->metrics_open,
    };
    if (!is_unix(options->bind))
        ops->policy.bound_to = str_of(options->bind);
    ops->auth.token = options->token;
    ops_set_not_ready(ops, NOT_READY_STARTING, true);
    ops->started_ms = ops->pulse_ms = ops->lag_seen_ms = uv_now(loop);
    return ops;
}

struct ops *ops_new(uv_loop_t *loop, const struct ops_options *options, char *problem,
                    size_t problem_size)
{
    struct ops *ops = make(loop, options);

    snprintf(problem, problem_size, "the operator's plane: out of memory");
    if (!ops)
        return NULL;
    ops->daemon = start_daemon(ops);
    if (!ops->daemon || !start_listening(ops, problem, problem_size)) {
        if (ops->daemon)
            MHD_stop_daemon(ops->daemon);
        free(ops);
        return NULL;
    }
    start_handles(ops);
    return ops;
}

uint16_t ops_port(const struct ops *ops)
{
    return listener_port(ops->listener);
}

void ops_set_not_ready(struct ops *ops, enum not_ready why, bool on)
{
    if (on)
        ops->not_ready |= UINT32_C(1) << why;
    else
        ops->not_ready &= ~(UINT32_C(1) << why);
}

void ops_set_token(struct ops *ops, const struct operator_token *token)
{
    ops->auth.token = *token;
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
    listener_close(ops->listener);
    uv_poll_stop(&ops->poll);
    (void)ops_release_held(ops, true); /* it ends the program when one of its connections sleeps */
    MHD_stop_daemon(ops->daemon);
    uv_close((uv_handle_t *)&ops->poll, on_handle_closed);
    uv_close((uv_handle_t *)&ops->timer, on_handle_closed);
    uv_close((uv_handle_t *)&ops->pulse, on_handle_closed);
}
