#include "aloha/ids.h"
#include "aloha/listener.h"
#include "aloha/log.h"
#include "web_private.h"

#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

enum {
    HEADER_SECONDS = 10,     /* a whole request head, from accept (SECURITY R4) */
    KEEP_ALIVE_SECONDS = 15, /* between requests */
    RECEIVE_SIZE = 8192,     /* bytes that the library reads from a WebSocket in one go */
    HEADERS_STORE_SIZE = 12 * 1024,
    TICK_MS = 1000,
    DRAIN_TICK_MS = 100,
    DESCRIPTORS_KEPT_FREE = 16,
};

/* The last connection is gone, or has had time enough. */
static void all_gone(uv_timer_t *timer)
{
    struct web *web = timer->data;
    if (web->on_empty)
        web->on_empty(web->on_empty_ctx);
}

/* ---- whom a connection counts for ---- */

static void uncount(struct connection *connection)
{
    struct web *web = connection->web;

    if (connection->counted)
        admission_disconnect(web->options.admission, connection->from, uv_now(web->loop));
    connection->counted = false;
}

bool web_count(struct connection *connection, address_key client)
{
    struct web *web = connection->web;

    if (connection->counted && connection->from == client)
        return true;
    if (!admission_connect(web->options.admission, client, uv_now(web->loop))) {
        web->options.metrics->refused[REFUSED_ADDRESS]++;
        return false;
    }
    uncount(connection);
    connection->from = client;
    connection->counted = true;
    return true;
}

/* ---- the library's one callback ---- */

void web_connection_free(struct connection *connection)
{
    struct web *web = connection->web;
    struct metrics *metrics = web->options.metrics;

    web_door_unsettle(connection);
    web_door_shut(connection);
    web_http_deinit(connection);
    web_socket_deinit(connection);
    DL_DELETE(web->connections, connection);
    metrics->values[METRIC_CONNECTIONS] = --web->connection_count;
    uncount(connection);
    free(connection);
    if (web->on_empty && web->connection_count == 0)
        uv_timer_start(&web->tick, all_gone, 0, 0); /* not from inside the library */
}

/* WSI_DESTROY is the one event that every connection has, and its last. */
static void on_destroy(struct connection *connection)
{
    if (connection->web->adopting == connection)
        connection->web->adopting = NULL; /* the library has closed the descriptor as well */
    web_connection_free(connection);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    struct connection *connection = lws_get_opaque_user_data(wsi);

    (void)user;
    if (!connection)
        return 0;
    connection->wsi = wsi;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return web_http_request(connection);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return web_http_writeable(connection);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return web_http_upgrade(connection);
    case LWS_CALLBACK_ESTABLISHED:
        return web_socket_opened(connection);
    case LWS_CALLBACK_RECEIVE:
        return web_socket_received(connection, in, size);
    case LWS_CALLBACK_RECEIVE_PONG:
        hub_heard(connection->web->hub, connection->id, uv_now(connection->web->loop));
        web_socket_handled(connection);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        web_queue_writeable(connection);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return web_socket_client_closes(connection, in, size);
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
        web_socket_dropped(connection);
        return 0;
    case LWS_CALLBACK_CLOSED: /* also without ESTABLISHED before it */
        web_socket_closed(connection);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroy(connection);
        return 0;
    case LWS_CALLBACK_HTTP_BODY: /* no request has a body here */
    case LWS_CALLBACK_RAW_ADOPT: /* CONNECT turns into these: a tunnel to nowhere, without a */
    case LWS_CALLBACK_RAW_SKT_BIND_PROTOCOL: /* deadline (SECURITY F4) */
    case LWS_CALLBACK_RAW_RX:
        return -1;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {
        .name = "aloha.v1",
        .callback = on_event,
        .per_session_data_size = sizeof(void *), /* some events are only sent where there is any */
        .rx_buffer_size = RECEIVE_SIZE,
        .tx_packet_size = 64 * 1024 * 1024, /* one write is one send(), whatever its size */
    },
    {0},
};

/* ---- adoption ---- */

static struct connection *new_connection(struct web *web, const struct sockaddr *from)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (!connection) {
        web->options.metrics->refused[REFUSED_MEMORY]++;
        return NULL;
    }
    connection->web = web;
    connection->address = listener_ip_of(from);
    connection->proxied = from->sa_family == AF_UNIX ||
                          ip_networks_have(web->options.trusted_proxies, connection->address);
    connection->opened_tick = web->ticks;
    if (!connection->proxied &&
        !web_count(connection, address_key_ipv6(connection->address.bytes))) {
        free(connection);
        return NULL;
    }
    return connection;
}

/* Takes the descriptor if the limits let it in; NULL: they do not, and it is closed. */
static struct connection *let_in(struct web *web, int fd, const struct sockaddr *from)
{
    struct metrics *metrics = web->options.metrics;

    if (web->draining || web->connection_count >= web->options.limits->connections_max ||
        (rlim_t)fd + DESCRIPTORS_KEPT_FREE > web->descriptors_max) {
        metrics->refused[REFUSED_FULL]++;
        close(fd);
        return NULL;
    }
    struct connection *connection = new_connection(web, from);
    if (!connection) {
        close(fd);
        return NULL;
    }
    socket_bytes_start(&connection->bytes_read, fd);
    DL_APPEND(web->connections, connection);
    metrics->values[METRIC_CONNECTIONS] = ++web->connection_count;
    metrics->values[METRIC_CONNECTIONS_TOTAL]++;
    return connection;
}

static void watch(struct connection *connection, int fd)
{
    if (!web_door_open(connection, fd)) {
        connection->web->options.metrics->refused[REFUSED_MEMORY]++;
        web_connection_free(connection);
    }
}

void web_adopt(void *ctx, int fd, const struct sockaddr *from)
{
    struct connection *connection = let_in(ctx, fd, from);

    if (!connection)
        return;
    /* A proxy that comes through a socket file has no stranger between itself and us. */
    connection->expects_tls = connection->web->options.tls != NULL && from->sa_family != AF_UNIX;
    watch(connection, fd);
}

void web_adopt_redirect(void *ctx, int fd, const struct sockaddr *from)
{
    struct connection *connection = let_in(ctx, fd, from);

    if (!connection)
        return;
    connection->redirects = true;
    connection->redirect_port = connection->web->https_port;
    watch(connection, fd);
}

void web_redirect_to(struct web *web, uint16_t https_port)
{
    web->https_port = https_port;
}

void web_admit(struct connection *connection, int fd)
{
    struct web *web = connection->web;
    lws_adopt_desc_t adoption = {
        .vh = web->vhost,
        .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
        .fd = {.sockfd = fd},
        .opaque = connection,
    };

    web->adopting = connection;
    if (!lws_adopt_descriptor_vhost_via_info(&adoption) && web->adopting) {
        web_connection_free(connection); /* it failed before the library took anything over */
        close(fd);
    }
    web->adopting = NULL;
}

/* ---- the loop ---- */

/* The clock is looked at twice a turn in which anybody said anything, not once a message. What came later in
 * the turn, or left before its end, took no longer than this. */
static void note_relays(struct web *web)
{
    struct metrics *metrics = web->options.metrics;
    uint64_t relayed = metrics->values[METRIC_SIGNALS_RELAYED] - web->relayed_before;

    if (!web->turn_began_ns)
        return;
    if (relayed)
        metrics_add_relay(metrics, uv_hrtime() - web->turn_began_ns, relayed);
    web->relayed_before += relayed;
    web->turn_began_ns = 0;
}

static void on_prepare(uv_prepare_t *prepare)
{
    web_queue_flush_dirty(prepare->data);
    note_relays(prepare->data);
    web_door_watch_settled(prepare->data);
}

static void on_check(uv_check_t *check)
{
    web_queue_flush_dirty(check->data);
    note_relays(check->data);
    web_socket_next_turn(check->data);
    web_door_watch_settled(check->data);
}

/* Slowloris: a first request that has not come in time, however slowly it comes. Later ones have
 * the library's keep-alive time. */
static void end_slow_requests(struct web *web)
{
    struct connection *connection, *next;

    DL_FOREACH_SAFE (web->connections, connection, next)
        if (!connection->wsi && web->ticks - connection->opened_tick > HEADER_SECONDS) {
            web->options.metrics->refused[REFUSED_LATE]++;
            web_connection_free(connection);
        }
}

/* How late the loop is: whatever else was due would have waited as long. */
static void note_lag(struct web *web)
{
    uint64_t now_ns = uv_hrtime(), due_ns = web->tick_due_ms * 1000000;

    if (web->tick_due_ms)
        metrics_add_loop_lag(web->options.metrics, now_ns > due_ns ? now_ns - due_ns : 0, 1);
    web->tick_due_ms = uv_now(web->loop) + TICK_MS;
}

static void on_tick(uv_timer_t *timer)
{
    struct web *web = timer->data;
    note_lag(web);
    web->ticks++;
    end_slow_requests(web);
    hub_tick(web->hub, uv_now(web->loop));
    web_socket_tick(web);
    notices_tick(&web->notices, web->options.metrics, uv_now(web->loop));
}

static void start_handles(struct web *web)
{
    uv_prepare_init(web->loop, &web->prepare);
    uv_check_init(web->loop, &web->check);
    uv_timer_init(web->loop, &web->tick);
    uv_timer_init(web->loop, &web->reaper);
    web->prepare.data = web->check.data = web->tick.data = web->reaper.data = web;
    web->handles_open = 4;
    uv_prepare_start(&web->prepare, on_prepare);
    uv_check_start(&web->check, on_check);
    uv_timer_start(&web->tick, on_tick, TICK_MS, TICK_MS);
}

static void on_handle_closed(uv_handle_t *handle)
{
    ((struct web *)handle->data)->handles_open--;
}

/* ---- making and ending ---- */

/* What the library says about remote garbage is the remote's garbage: debug, and rate limited. */
static void log_from_library(int level, const char *line)
{
    struct str text = str_of(line);
    while (text.size && (unsigned char)text.text[text.size - 1] < ' ')
        text.size--;
    if (level == LLL_ERR)
        log_debug("lws_error", log_str("text", text));
    else
        log_debug("lws_warning", log_str("text", text));
}

static bool make_context(struct web *web)
{
    void *loops[] = {web->loop};

    lws_set_log_level(LLL_ERR | LLL_WARN, log_from_library);
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .foreign_loops = loops,
        .pcontext = &web->context,
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .server_string = "aloha",
        .alpn = "http/1.1",
        .timeout_secs = HEADER_SECONDS,
        .timeout_secs_ah_idle = HEADER_SECONDS,
        .keepalive_timeout = KEEP_ALIVE_SECONDS,
        .max_http_header_data = HEADERS_STORE_SIZE,
        .pt_serv_buf_size = RECEIVE_SIZE + LWS_PRE,
    };
    info.gid = (__typeof__(info.gid))-1; /* stay who we are; int in 4.1, unsigned later */
    info.uid = (__typeof__(info.uid))-1;
    web->context = lws_create_context(&info);
    if (!web->context) {
        log_error("lws_failed",
                  log_text("reason", "no context: is libwebsockets-evlib-uv installed?"));
        return false;
    }
    info.options &= ~(uint64_t)LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    web->vhost = lws_create_vhost(web->context, &info);
    return web->vhost != NULL;
}

/* The names of the headers that the library knows, and of its methods: without the colon or the space. */
static void list_library_headers(struct web *web)
{
    for (int i = 0; i < WSI_TOKEN_COUNT && web->library_header_count < LIBRARY_HEADERS_MAX; i++) {
        struct str name = str_of((const char *)lws_token_to_string((enum lws_token_indexes)i));
        while (name.size && (name.text[name.size - 1] == ':' || name.text[name.size - 1] == ' '))
            name.size--;
        if (name.size)
            web->library_headers[web->library_header_count++] = name;
    }
}

static rlim_t descriptors_max(void)
{
    struct rlimit descriptors;
    return getrlimit(RLIMIT_NOFILE, &descriptors) == 0 ? descriptors.rlim_cur : RLIM_INFINITY;
}

struct web *web_new(uv_loop_t *loop, const struct web_options *options)
{
    struct web *web = calloc(1, sizeof *web);
    if (!web)
        return NULL;
    web->options = *options;
    web->loop = loop;
    web->arrivals = -1;
    web->descriptors_max = descriptors_max();
    list_library_headers(web);
    uint32_t slots = options->limits->connections_max;
    struct effects effects = web_socket_effects(web);
    struct hub_options hub = {
        .limits = options->limits,
        .metrics = options->metrics,
        .admission = options->admission,
        .key = options->key,
        .token_key = options->token_key,
    };
    ids_random(&hub.process, sizeof hub.process);
    hub.process = hub.process >> 16 | 1; /* 48 bits, never 0 */
    web->by_slot = calloc(slots, sizeof(struct connection *));
    web->hub = hub_new(&hub, &effects, uv_now(loop));
    start_handles(web);
    if (web->by_slot && web->hub && web_door_start(web) && make_context(web))
        return web;
    web_stop(web);
    while (web->handles_open)
        uv_run(loop, UV_RUN_NOWAIT);
    web_free(web);
    return NULL;
}

size_t web_connection_count(const struct web *web)
{
    return web->connection_count;
}

struct hub *web_hub(const struct web *web)
{
    return web->hub;
}

static void on_drain_tick(uv_timer_t *timer)
{
    struct web *web = timer->data;
    uint64_t end_ms = web->drain_since_ms + web->options.limits->drain_ms + WEB_GOODBYE_MS;

    hub_tick(web->hub, uv_now(web->loop));
    web_socket_tick(web);
    if (web->connection_count == 0 || uv_now(web->loop) >= end_ms)
        uv_timer_start(timer, all_gone, 0, 0);
}

void web_drain(struct web *web, void (*on_empty)(void *ctx), void *ctx)
{
    struct connection *connection, *next;

    web->draining = true;
    web->drain_since_ms = uv_now(web->loop);
    web->on_empty = on_empty;
    web->on_empty_ctx = ctx;
    DL_FOREACH_SAFE (web->connections, connection, next) {
        if (!connection->wsi)
            web_connection_free(connection);
        else if (!connection->is_websocket && !connection->answer) /* what is being sent may end */
            web_socket_close(connection, CLOSE_RESTART);
    }
    hub_drain(web->hub, uv_now(web->loop));
    uv_timer_start(&web->tick, on_drain_tick, 0, DRAIN_TICK_MS);
}

void web_stop(struct web *web)
{
    web->on_empty = NULL;
    if (web->context)
        lws_context_destroy(web->context); /* pass 1 */
    if (uv_is_closing((uv_handle_t *)&web->prepare))
        return;
    uv_close((uv_handle_t *)&web->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&web->check, on_handle_closed);
    uv_close((uv_handle_t *)&web->tick, on_handle_closed);
    uv_close((uv_handle_t *)&web->reaper, on_handle_closed);
    web_door_stop(web, on_handle_closed);
}

void web_free(struct web *web)
{
    if (!web)
        return;
    if (web->context)
        lws_context_destroy(web->context); /* pass 2; the library sets the pointer to NULL itself */
    for (size_t i = 0; i < web->spare_count; i++)
        buf_deinit(&web->spare[i]);
    web_door_free(web);
    hub_free(web->hub);
    free(web->by_slot);
    free(web);
}
