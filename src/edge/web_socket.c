/* One WebSocket: it opens, is heard, keeps to the limits, and closes. What it is told is web_queue.c's. */
#include "aloha/ids.h"
#include "aloha/log.h"
#include "aloha/tls_link.h"
#include "aloha/utf8.h"
#include "web_private.h"

#include <string.h>
#include <time.h>
#include <utlist.h>

enum {
    CLOSE_WAIT_MS = 1000,            /* for the client's close frame after ours */
    CLIENT_FRAME_HEAD_SIZE_MAX = 14, /* RFC 6455 section 5.2, with the mask */
    LOOKS_PER_TICK = 500,            /* at what the kernel has counted: some microseconds each */
    FRAMES_PER_TURN = 64,            /* of one connection, handled in a turn (SECURITY R24) */
};

static uint64_t now_ms(const struct web *web)
{
    return uv_now(web->loop);
}

struct connection *web_socket_find(const struct web *web, conn_id id)
{
    uint32_t slot = (uint32_t)id;
    if (slot >= web->options.limits->connections_max)
        return NULL;
    struct connection *connection = web->by_slot[slot];
    return connection && connection->id == id ? connection : NULL;
}

/* ---- closing ---- */

static void reap_soon(uv_timer_t *timer)
{
    web_socket_reap(timer->data);
}

/* Marks it; the reaper closes it after this event, for nobody frees what has called them. */
void web_socket_close(struct connection *connection, enum close_why why)
{
    struct web *web = connection->web;

    if (connection->closing)
        return;
    connection->closing = why;
    if (why ==
        CLOSE_SLOW) /* it will never see them, and while they counted others would have to pay */
        web_queue_discard(connection);
    DL_APPEND2(web->closing, connection, prev_closing, next_closing);
    connection->closing_since_ms = now_ms(web);
    if (connection->is_websocket)
        web->options.metrics->closes[why]++;
    log_debug("connection_closing", log_text("reason", close_name(why)));
    uv_timer_start(&web->reaper, reap_soon, 0, 0);
}

static void tell_hub(struct connection *connection, enum hub_end end)
{
    struct web *web = connection->web;

    if (!connection->id)
        return;
    web->by_slot[(uint32_t)connection->id] = NULL;
    hub_closed(web->hub, connection->id, end, now_ms(web));
    connection->id = 0;
}

static void send_close(struct connection *connection)
{
    const char *text = close_text(connection->closing);

    connection->close_sent = true;
    tell_hub(connection, close_keeps_seat(connection->closing)
                             ? HUB_END_LOST
                             : HUB_END_REMOVED); /* the others need not wait for the handshake */
    if (!connection->is_websocket || connection->client_closed)
        return;
    web_queue_flush(connection);
    lws_close_reason(connection->wsi, (enum lws_close_status)close_code(connection->closing),
                     (unsigned char *)(uintptr_t)text, strlen(text));
}

/* The library answers broken framing by itself, and then waits five seconds for the client's answer: the
 * others hear of it at once, and the reaper ends the wait as it ends our own (SECURITY R26, R38). Also
 * called when a connection merely ends; then nothing is to be said to it. */
void web_socket_dropped(struct connection *connection)
{
    if (!connection->id || connection->closing || connection->client_closed ||
        lws_get_close_length(connection->wsi) == 0)
        return;
    web_socket_close(connection, CLOSE_PROTOCOL);
    connection->close_sent = true;
    tell_hub(connection, HUB_END_REMOVED);
}

/* Ends a socket that does not end: the library would go on waiting for what it still has to send. */
static void cut(struct connection *connection)
{
    int fd = lws_get_socket_fd(connection->wsi);
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    web_queue_discard(connection);
    if (connection->secure)
        tls_link_cut(connection->web->options.tls, fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, SHUT_RDWR);
}

/* A full AF_UNIX socket is not writable when it is shut, as a TCP one is: the library would wait for that, and
 * the loop spin on its end. Told so, it writes and hears that there is nobody. */
static void say_it_is_writable(struct web *web, int fd)
{
    struct lws_pollfd writable = {.fd = fd, .events = POLLIN | POLLOUT, .revents = POLLOUT};
    lws_service_fd(web->context, &writable);
}

void web_socket_reap(struct web *web)
{
    struct connection *connection, *next;
    bool any = false;

    for (connection = web->closing; connection; connection = next) {
        next = connection->next_closing;
        bool overdue = now_ms(web) - connection->closing_since_ms >= CLOSE_WAIT_MS;
        if (connection->close_sent && !overdue)
            continue;
        int fd = lws_get_socket_fd(connection->wsi);
        bool stays_full = connection->close_sent && connection->bytes_read.by_offset;
        if (!connection->close_sent)
            send_close(connection);
        else
            cut(connection);
        /* The first time this starts the closing handshake; the second time it ends the socket. */
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_SYNC);
        if (stays_full)
            say_it_is_writable(web, fd); /* if it is still there */
        any = true;
    }
    if (any)
        lws_cancel_service(web->context); /* its timers were touched from outside: wake it */
}

/* ---- receiving ---- */

int web_socket_opened(struct connection *connection)
{
    struct web *web = connection->web;

    reassembly_init(&connection->in, web->options.limits->message_size_max);
    buf_init(&connection->out, web->options.limits->queue_size_max + FRAME_HEAD_SIZE_MAX);
    bucket_init(&connection->in_other, web->options.limits->bytes, now_ms(web));
    connection->in_seen_size = connection->heads_size;
    connection->is_websocket = true;
    connection->id = hub_open(web->hub, connection->from, now_ms(web));
    if (!connection->id)
        return -1; /* cannot be: the listener's limit is the same */
    web->by_slot[(uint32_t)connection->id] = connection;
    metrics_count_http(web->options.metrics, STAGE_WEBSOCKET, 101);
    if (web->draining)
        web_socket_close(connection, CLOSE_RESTART);
    return 0;
}

/* The library reads 8 KiB at once, in which there is room for a thousand little frames. Nothing is lost or
 * overtaken: it goes on with what it keeps before it reads again. */
void web_socket_handled(struct connection *connection)
{
    struct web *web = connection->web;

    if (connection->handled_turn != web->turn) {
        connection->handled_turn = web->turn;
        connection->handled = 0;
    }
    if (++connection->handled < FRAMES_PER_TURN || connection->paused)
        return;
    connection->paused = true;
    DL_APPEND2(web->paused, connection, prev_paused, next_paused);
    lws_rx_flow_control(connection->wsi, 0);
}

static void unpause(struct connection *connection)
{
    if (connection->paused)
        DL_DELETE2(connection->web->paused, connection, prev_paused, next_paused);
    connection->paused = false;
}

/* Also those that are being closed go on: the answer to our close frame is behind all the rest. */
void web_socket_next_turn(struct web *web)
{
    bool any = web->paused != NULL;

    web->turn++;
    while (web->paused) {
        struct connection *connection = web->paused;
        unpause(connection);
        lws_rx_flow_control(connection->wsi, 1);
    }
    if (any)
        lws_cancel_service(web->context); /* or it looks at what it keeps when something comes */
}

int web_socket_received(struct connection *connection, const char *data, size_t size)
{
    struct web *web = connection->web;
    struct lws *wsi = connection->wsi;
    struct reassembly_part part = {
        .bytes = {data, size},
        .to_come = lws_remaining_packet_payload(wsi),
        .is_final = lws_is_final_fragment(wsi),
        .is_binary = lws_frame_is_binary(wsi),
    };

    /* After a close frame, theirs or ours, nothing counts (F16: this library still delivers). */
    if (!connection->id || connection->closing || connection->client_closed)
        return 0;
    web_socket_handled(connection);
    if (size)
        connection->in_messages_size += size + CLIENT_FRAME_HEAD_SIZE_MAX;
    struct reassembled got = reassembly_add(&connection->in, &part, web->ticks);
    switch (got.verdict) {
    case REASSEMBLY_MORE:
        hub_heard(web->hub, connection->id, now_ms(web));
        break;
    case REASSEMBLY_WHOLE:
        if (!web->turn_began_ns)
            web->turn_began_ns = uv_hrtime();
        hub_receive(web->hub, connection->id, got.message, now_ms(web));
        reassembly_done(&connection->in);
        break;
    case REASSEMBLY_CLOSE:
        web_socket_close(connection, got.why);
        break;
    }
    return 0;
}

/* RFC 6455 sections 5.5.1 and 7.1.6: nothing, or two bytes and UTF-8. The library would echo anything
 * else as it is; a code that must not be sent it answers with 1002 by itself. */
int web_socket_client_closes(struct connection *connection, const unsigned char *data, size_t size)
{
    struct str reason =
        size > 2 ? (struct str){(const char *)data + 2, size - 2} : (struct str){NULL, 0};
    unsigned code = size >= 2 ? (unsigned)data[0] << 8 | data[1] : 1000;

    web_queue_flush(
        connection); /* what it is told in answer to what stood before its close frame */
    if (size == 1 || (reason.size && !utf8_is_valid(reason))) {
        lws_close_reason(connection->wsi,
                         size == 1 ? LWS_CLOSE_STATUS_PROTOCOL_ERR
                                   : LWS_CLOSE_STATUS_INVALID_PAYLOAD,
                         NULL, 0);
        return -1;
    }
    connection->client_closed = true;
    connection->client_clean = code == 1000 || code == 1001;
    /* From here on nothing reaches it: what is said to it now is for its seat to keep. */
    tell_hub(connection, connection->client_clean ? HUB_END_GOODBYE : HUB_END_LOST);
    /* The library waits without a limit until its own close frame can leave: not behind a full socket. */
    return lws_partial_buffered(connection->wsi) ? -1 : 0;
}

void web_socket_closed(struct connection *connection)
{
    unpause(connection);
    tell_hub(connection, connection->client_clean ? HUB_END_GOODBYE : HUB_END_LOST);
}

void web_socket_deinit(struct connection *connection)
{
    web_socket_closed(connection);
    if (connection->closing)
        DL_DELETE2(connection->web->closing, connection, prev_closing, next_closing);
    web_queue_discard(connection);
    reassembly_deinit(&connection->in);
}

/* The library keeps pings to itself, and pongs of nothing. It answers one ping at a time and drops the
 * others, so that they cost no memory, but it reads as many as come (F7). The kernel knows how many bytes
 * those were: what is no message keeps the rate of messages, beside them, or ends (SECURITY R22). */
static void look_at_other_bytes(struct connection *connection)
{
    struct web *web = connection->web;
    struct bucket_rate rate = web->options.limits->bytes;
    uint64_t size;

    if (!connection->id || connection->closing || !rate.per_minute ||
        !socket_bytes_read(&connection->bytes_read, lws_get_socket_fd(connection->wsi), &size))
        return;
    uint64_t messages = connection->in_seen_size + connection->in_messages_size;
    uint64_t other = size > messages ? size - messages : 0;
    connection->in_seen_size = size;
    connection->in_messages_size = 0;
    if (other > UINT32_MAX)
        other = UINT32_MAX;
    if (!bucket_take(&connection->in_other, rate, (uint32_t)other, now_ms(web)))
        web_socket_close(connection, CLOSE_POLICY);
}

/* Many connections are looked at in turns: a tick must not hold the others up. */
void web_socket_tick(struct web *web)
{
    uint64_t turns = web->connection_count / LOOKS_PER_TICK + 1, at = web->ticks;

    for (struct connection *connection = web->connections; connection;
         connection = connection->next) {
        if (reassembly_is_late(&connection->in, web->ticks))
            web_socket_close(connection, CLOSE_POLICY);
        if (at++ % turns == 0)
            look_at_other_bytes(connection);
    }
    web_socket_reap(web);
}

/* ---- what the hub may do ---- */

static void effect_send(void *ctx, conn_id to, const struct str *parts, size_t count)
{
    struct web *web = ctx;
    struct connection *connection = web_socket_find(web, to);

    if (!connection)
        return;
    web->options.metrics->values[METRIC_SENT_MESSAGES]++;
    web_queue_frame(connection, OPCODE_TEXT, parts, count);
}

static void effect_close(void *ctx, conn_id id, enum close_why why)
{
    struct connection *connection = web_socket_find(ctx, id);
    if (connection)
        web_socket_close(connection, why);
}

static void effect_ping(void *ctx, conn_id id)
{
    struct connection *connection = web_socket_find(ctx, id);
    struct str payload = STR("aloha"); /* never empty: the library keeps empty pongs to itself */
    if (connection)
        web_queue_frame(connection, OPCODE_PING, &payload, 1);
}

static void effect_make_peer_id(void *ctx, char out[PEER_ID_SIZE + 1])
{
    (void)ctx;
    ids_make_uuid(out);
}

static uint64_t effect_wall_s(void *ctx)
{
    (void)ctx;
    return (uint64_t)time(NULL);
}

struct effects web_socket_effects(struct web *web)
{
    return (struct effects){
        .ctx = web,
        .send = effect_send,
        .close = effect_close,
        .ping = effect_ping,
        .make_peer_id = effect_make_peer_id,
        .wall_s = effect_wall_s,
    };
}
