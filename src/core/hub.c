#include "hub_private.h"

#include "aloha/encode.h"
#include "aloha/utf8.h"

#include <stdlib.h>

enum {
    MESSAGE_OUT_SIZE_MAX =
        256 * 1024, /* RoomJoined with 50 names of 64 astral characters: 40 KiB */
    SWEEP_EVERY_MS = 10000,
    DRAIN_SLACK_MS = 500, /* for the client to go by itself when its time has come */
};

const struct bucket_rate hub_ice_rate = {LIMIT_ICE_PER_MINUTE, LIMIT_ICE_PER_MINUTE};

/* ---- connections ---- */

conn_id hub_id_of(const struct hub *hub, const struct conn *conn)
{
    return (conn_id)conn->generation << 32 | (conn_id)(conn - hub->conns);
}

struct conn *hub_find_conn(struct hub *hub, conn_id id)
{
    uint32_t slot = (uint32_t)id;
    if (slot >= hub->conns_used)
        return NULL;
    struct conn *conn = &hub->conns[slot];
    return conn->state != CONN_FREE && conn->generation == id >> 32 ? conn : NULL;
}

/* The hub's clock goes with the outer one but does not jump. When this process was stopped for a
 * while (SIGSTOP, a sleeping laptop), what the clients sent meanwhile is still unread: that time
 * does not count, for nobody may be timed out for our own silence. */
void hub_advance_clock(struct hub *hub, uint64_t outer_ms)
{
    if (outer_ms <= hub->outer_ms)
        return;
    uint64_t step = outer_ms - hub->outer_ms;
    if (step <= LIMIT_CLOCK_STEP_MAX_MS)
        hub->now_ms += step;
    hub->outer_ms = outer_ms;
}

void hub_send_scratch(struct hub *hub, conn_id to)
{
    struct str text = buf_str(&hub->scratch);
    if (to && !hub->scratch.failed)
        hub->effects.send(hub->effects.ctx, to, &text, 1);
}

void hub_close_conn(struct hub *hub, struct conn *conn, enum close_why why)
{
    if (conn->state == CONN_CLOSING)
        return;
    if (close_keeps_seat(why))
        hub_hold(hub, conn);
    else
        hub_leave(hub, conn, "removed");
    conn->state = CONN_CLOSING;
    hub->effects.close(hub->effects.ctx, hub_id_of(hub, conn), why);
}

void hub_answer_error(struct hub *hub, struct conn *conn, enum err err, struct str peer_id,
                      uint64_t retry_after_ms)
{
    hub->metrics->errors[err]++;
    if (conn == hub->speaker)
        hub->verdict = err;
    encode_error(&hub->scratch, err, peer_id, retry_after_ms);
    hub_send_scratch(hub, hub_id_of(hub, conn));
    if (err_close(err) != CLOSE_NONE)
        hub_close_conn(hub, conn, err_close(err));
}

/* What each type needs and costs. A new message is a new row. */
static const struct route {
    handler *handle;
    unsigned states;      /* in which it may come */
    enum err wrong_state; /* the answer in another */
    uint32_t cost;        /* tokens of limits->messages */
} routes[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_JOIN_ROOM] = {hub_on_join_room, CONN_OPEN, ERR_ALREADY_IN_ROOM, LIMIT_JOIN_COST},
    [MESSAGE_SIGNAL] = {hub_on_signal, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_LEAVE_ROOM] = {hub_on_leave_room, CONN_JOINED | CONN_KNOCKING, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_LOCK_ROOM] = {hub_on_lock_room, CONN_JOINED, ERR_NOT_IN_ROOM, LIMIT_JOIN_COST},
    [MESSAGE_ADMIT] = {hub_on_admit, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_DENY] = {hub_on_deny, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_REFRESH_ICE_SERVERS] = {hub_on_refresh_ice_servers, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
};

/* ---- limits ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A message over the rate is dropped; the sender is told so once a second, and closed when it goes on.
 *   kind        its type, if that was read.
 *   cost, size  what it must be able to pay: who waits as long as he is told gets through. */
static void drop_message(struct hub *hub, struct conn *conn, unsigned kind, uint32_t cost,
                         size_t size)
{
    hub->metrics->messages[kind][VERDICT_DROPPED]++;
    hub->metrics->drops[DROP_RATE]++;
    if (hub->now_ms - conn->drops_since_ms > LIMIT_RATE_WINDOW_MS) {
        conn->drops_since_ms = hub->now_ms;
        conn->drops = 0;
    }
    if (++conn->drops > LIMIT_RATE_DROPS_MAX) {
        hub_close_conn(hub, conn, CLOSE_POLICY);
        return;
    }
    if (conn->rate_error_ms && hub->now_ms - conn->rate_error_ms < LIMIT_RATE_ERROR_EVERY_MS)
        return;
    conn->rate_error_ms = hub->now_ms;
    uint64_t wait_ms = later(bucket_wait_ms(&conn->messages, hub->limits->messages, cost),
                             bucket_wait_ms(&conn->bytes, hub->limits->bytes, (uint32_t)size));
    hub_answer_error(hub, conn, ERR_RATE_LIMITED, (struct str){NULL, 0}, later(wait_ms, 1));
}

static bool is_within_rates(struct hub *hub, struct conn *conn, size_t size)
{
    return bucket_take(&conn->messages, hub->limits->messages, 1, hub->now_ms) &&
           bucket_take(&conn->bytes, hub->limits->bytes, (uint32_t)size, hub->now_ms);
}

/* Takes what a message costs above the one token that it has paid. Returns false when it is not
 * there. */
static bool charge(struct hub *hub, struct conn *conn, uint32_t cost)
{
    return cost <= 1 || bucket_take(&conn->messages, hub->limits->messages, cost - 1, hub->now_ms);
}

static void answer_bad_message(struct hub *hub, struct conn *conn, enum err err)
{
    bool paid = charge(hub, conn, LIMIT_BAD_MESSAGE_COST);

    (void)paid; /* it is refused either way; the bucket runs dry the sooner */
    hub_answer_error(hub, conn, err, (struct str){NULL, 0}, 0);
    if (err == ERR_BAD_MESSAGE && ++conn->bad_messages >= LIMIT_BAD_MESSAGES_MAX)
        hub_close_conn(hub, conn, CLOSE_POLICY);
}

/* Carries out what may be said now and was paid for, and counts what came of it. */
static void handle(struct hub *hub, struct conn *conn, const struct message *message)
{
    hub->speaker = conn;
    hub->verdict = OK;
    enum err err = routes[message->type].handle(hub, conn, message);
    if (err == ERR_BAD_MESSAGE)
        answer_bad_message(hub, conn, err);
    else if (err)
        hub_answer_error(hub, conn, err, (struct str){NULL, 0}, 0);
    hub->metrics->messages[message->type][hub->verdict]++;
    hub->speaker = NULL;
}

static void dispatch(struct hub *hub, struct conn *conn, struct str text)
{
    struct message message;
    enum err err = message_decode_within(&message, text,
                                         (struct json_bounds){hub->limits->json_depth_max,
                                                              hub->limits->json_values_max});

    if (err) {
        hub->metrics->messages[MESSAGE_UNKNOWN][err]++;
        answer_bad_message(hub, conn, err);
        return;
    }
    const struct route *route = &routes[message.type];
    if (!(conn->state & route->states)) {
        hub->metrics->messages[message.type][route->wrong_state]++;
        hub_answer_error(hub, conn, route->wrong_state, (struct str){NULL, 0}, 0);
        return;
    }
    if (charge(hub, conn, route->cost))
        handle(hub, conn, &message);
    else
        drop_message(hub, conn, message.type, route->cost, text.size);
}

/* ---- what the edge calls ---- */

struct hub *hub_new(const struct hub_options *options, const struct effects *effects,
                    uint64_t now_ms)
{
    const struct limits *limits = options->limits;
    struct hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return NULL;
    *hub = (struct hub){
        .options = *options,
        .limits = limits,
        .effects = *effects,
        .metrics = options->metrics,
        .outer_ms = now_ms,
        .now_ms = now_ms,
        .swept_ms = now_ms,
    };
    buf_init(&hub->scratch, MESSAGE_OUT_SIZE_MAX);
    buf_init(&hub->limits_json, LIMITS_JSON_SIZE_MAX);
    limits_write_json(limits, &hub->limits_json);
    hub->rooms = rooms_new(limits, options->key);
    hub->conns = calloc(limits->connections_max, sizeof *hub->conns);
    /* All of it now, so that whatever happens can be told. Untouched pages cost nothing. */
    bool can_speak = buf_reserve(&hub->scratch, MESSAGE_OUT_SIZE_MAX) != NULL;
    if (!hub->rooms || !hub->conns || !can_speak || hub->limits_json.failed) {
        hub_free(hub);
        return NULL;
    }
    return hub;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    rooms_free(hub->rooms);
    free(hub->conns);
    buf_deinit(&hub->limits_json);
    buf_deinit(&hub->scratch);
    free(hub);
}

conn_id hub_open(struct hub *hub, address_key from, uint64_t now_ms)
{
    struct conn *conn;

    hub_advance_clock(hub, now_ms);
    if (hub->first_free) {
        conn = &hub->conns[hub->first_free - 1];
        hub->first_free = conn->next_free;
    } else if (hub->conns_used < hub->limits->connections_max) {
        conn = &hub->conns[hub->conns_used++];
    } else {
        return 0;
    }
    *conn = (struct conn){
        .state = CONN_OPEN,
        .generation = conn->generation + 1,
        .from = from,
        .opened_ms = hub->now_ms,
        .heard_ms = hub->now_ms,
        .leave_at_ms = hub->now_ms,
        .drops_since_ms = hub->now_ms,
    };
    bucket_init(&conn->messages, hub->limits->messages, hub->now_ms);
    bucket_init(&conn->bytes, hub->limits->bytes, hub->now_ms);
    bucket_init(&conn->ice, hub_ice_rate, hub->now_ms);
    hub->metrics->values[METRIC_WEBSOCKETS]++;
    return hub_id_of(hub, conn);
}

void hub_receive(struct hub *hub, conn_id from, struct str text, uint64_t now_ms)
{
    struct conn *conn = hub_find_conn(hub, from);

    if (!conn || conn->state == CONN_CLOSING)
        return;
    hub_heard(hub, from, now_ms);
    hub->metrics->values[METRIC_RECEIVED_BYTES] += text.size;
    if (!utf8_is_valid(text))
        hub_close_conn(hub, conn, CLOSE_BAD_UTF8);
    else if (!is_within_rates(hub, conn, text.size))
        drop_message(hub, conn, MESSAGE_UNKNOWN, 1, text.size);
    else
        dispatch(hub, conn, text);
}

void hub_heard(struct hub *hub, conn_id from, uint64_t now_ms)
{
    struct conn *conn = hub_find_conn(hub, from);

    hub_advance_clock(hub, now_ms);
    if (!conn)
        return;
    conn->heard_ms = hub->now_ms;
    conn->pinged = false;
}

void hub_closed(struct hub *hub, conn_id id, enum hub_end end, uint64_t now_ms)
{
    struct conn *conn = hub_find_conn(hub, id);

    hub_advance_clock(hub, now_ms);
    if (!conn)
        return;
    if (end == HUB_END_LOST)
        hub_hold(hub, conn);
    else
        hub_leave(hub, conn, end == HUB_END_GOODBYE ? "left" : "removed");
    conn->state = CONN_FREE;
    conn->next_free = hub->first_free;
    hub->first_free = (uint32_t)(conn - hub->conns) + 1;
    hub->metrics->values[METRIC_WEBSOCKETS]--;
}

void hub_refuse_joins(struct hub *hub, bool on)
{
    hub->refuses_joins = on;
}

static bool is_live(const struct conn *conn)
{
    return conn->state & (CONN_OPEN | CONN_KNOCKING | CONN_JOINED);
}

void hub_drain(struct hub *hub, uint64_t now_ms)
{
    uint64_t count = 0, nth = 0;

    hub_advance_clock(hub, now_ms);
    hub->draining = true;
    for (uint32_t slot = 0; slot < hub->conns_used; slot++)
        count += is_live(&hub->conns[slot]);
    for (uint32_t slot = 0; slot < hub->conns_used; slot++) {
        struct conn *conn = &hub->conns[slot];
        if (!is_live(conn))
            continue;
        uint64_t after_ms = nth++ * hub->limits->drain_ms / count;
        conn->leave_at_ms = hub->now_ms + after_ms;
        encode_reconnect(&hub->scratch, after_ms);
        hub_send_scratch(hub, hub_id_of(hub, conn));
    }
}

static bool is_to_leave(const struct hub *hub, const struct conn *conn)
{
    uint64_t slack_ms = hub->limits->drain_ms ? DRAIN_SLACK_MS : 0;
    return hub->draining && hub->now_ms >= conn->leave_at_ms + slack_ms;
}

static void look_after(struct hub *hub, struct conn *conn)
{
    uint64_t silent_ms = hub->now_ms - conn->heard_ms;

    if (is_to_leave(hub, conn)) {
        hub_close_conn(hub, conn, CLOSE_RESTART);
    } else if (!conn->has_joined &&
               hub->now_ms - conn->opened_ms >= hub->limits->join_deadline_ms) {
        hub_close_conn(hub, conn, CLOSE_NO_JOIN);
    } else if (silent_ms >= hub->limits->gone_after_ms) {
        hub_close_conn(hub, conn, CLOSE_SILENT);
    } else if (silent_ms >= hub->limits->ping_after_ms && !conn->pinged) {
        conn->pinged = true;
        hub->effects.ping(hub->effects.ctx, hub_id_of(hub, conn));
    }
}

void hub_tick(struct hub *hub, uint64_t now_ms)
{
    hub_advance_clock(hub, now_ms);
    for (uint32_t slot = 0; slot < hub->conns_used; slot++)
        if (is_live(&hub->conns[slot]))
            look_after(hub, &hub->conns[slot]);
    hub_expire_held(hub);
    if (hub->now_ms - hub->swept_ms >= SWEEP_EVERY_MS) {
        hub->swept_ms = hub->now_ms;
        admission_sweep(hub->options.admission, hub->outer_ms);
    }
}
