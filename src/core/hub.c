#include "aloha/hub.h"

#include "aloha/encode.h"
#include "aloha/json.h"
#include "aloha/log.h"
#include "aloha/utf8.h"

#include <stdlib.h>

enum conn_state {
    CONN_FREE,
    CONN_OPEN, /* no room yet, or no longer */
    CONN_JOINED,
    CONN_CLOSING, /* we have closed it; hub_closed() is still to come */
};

struct conn {
    enum conn_state state;
    uint32_t generation; /* raised at each open: an old id finds nothing */
    struct seat *seat;   /* while CONN_JOINED; borrowed from the rooms */
    address_key from;
    uint64_t idle_since_ms; /* when it opened or last left a room, for the join deadline */
    uint64_t heard_ms;
    bool pinged; /* since heard_ms */
    bool has_joined;
    struct bucket messages;
    struct bucket bytes;
    uint32_t bad_messages;
    uint32_t drops; /* messages dropped since drops_since_ms */
    uint64_t drops_since_ms;
    uint64_t rate_error_ms; /* when it was last told so; 0 for never */
    uint32_t next_free;     /* while CONN_FREE: slot + 1 of the next free one */
};

struct hub {
    const struct limits *limits;
    struct effects effects;
    struct metrics *metrics;
    struct admission *admission;
    struct rooms *rooms;
    struct conn *conns;  /* limits->connections_max of them */
    uint32_t conns_used; /* slots that were ever used lie below this */
    uint32_t first_free; /* slot + 1 of a free one below conns_used; 0 for none */
    struct buf scratch;  /* the message that is being written */
    uint64_t outer_ms;   /* the time the edge last told */
    uint64_t now_ms;     /* our own clock: see advance_clock() */
    uint64_t swept_ms;
    bool refuses_joins;
};

enum {
    MESSAGE_OUT_SIZE_MAX =
        256 * 1024, /* RoomJoined with 50 names of 64 astral characters: 40 KiB */
    SWEEP_EVERY_MS = 10000,
};

/* ---- connections ---- */

static conn_id id_of(const struct hub *hub, const struct conn *conn)
{
    return (conn_id)conn->generation << 32 | (conn_id)(conn - hub->conns);
}

static struct conn *find_conn(struct hub *hub, conn_id id)
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
static void advance_clock(struct hub *hub, uint64_t outer_ms)
{
    if (outer_ms <= hub->outer_ms)
        return;
    uint64_t step = outer_ms - hub->outer_ms;
    if (step <= LIMIT_CLOCK_STEP_MAX_MS)
        hub->now_ms += step;
    hub->outer_ms = outer_ms;
}

static void send_scratch(struct hub *hub, conn_id to)
{
    struct str text = buf_str(&hub->scratch);
    if (!hub->scratch.failed)
        hub->effects.send(hub->effects.ctx, to, &text, 1);
}

static void send_scratch_to_others(struct hub *hub, const struct seat *except)
{
    for (struct seat *seat = room_first_seat(except); seat; seat = seat->next)
        if (seat != except)
            send_scratch(hub, seat->conn);
}

/* ---- leaving ---- */

static void leave_room(struct hub *hub, struct conn *conn, const char *reason)
{
    struct seat *seat = conn->seat;

    if (!seat)
        return;
    encode_user_left(&hub->scratch, seat->peer_id, reason);
    send_scratch_to_others(hub, seat);
    log_debug("peer_left", log_text("peer", seat->peer_id), log_text("reason", reason));
    rooms_leave(hub->rooms, seat);
    conn->seat = NULL;
    conn->state = CONN_OPEN;
    conn->idle_since_ms = hub->now_ms;
    hub->metrics->values[METRIC_PEERS]--;
    hub->metrics->values[METRIC_ROOMS] = rooms_count(hub->rooms);
}

static void close_conn(struct hub *hub, struct conn *conn, enum close_why why)
{
    if (conn->state == CONN_CLOSING)
        return;
    leave_room(hub, conn, why == CLOSE_SILENT ? "timeout" : "removed");
    conn->state = CONN_CLOSING;
    hub->effects.close(hub->effects.ctx, id_of(hub, conn), why);
}

static void answer_error(struct hub *hub, struct conn *conn, enum err err, struct str peer_id,
                         uint64_t retry_after_ms)
{
    hub->metrics->errors[err]++;
    encode_error(&hub->scratch, err, peer_id, retry_after_ms);
    send_scratch(hub, id_of(hub, conn));
    if (err_close(err) != CLOSE_NONE)
        close_conn(hub, conn, err_close(err));
}

/* ---- what clients say, one function a type ---- */

static enum err read_room_id(struct str json, char out[ROOM_ID_SIZE_MAX], struct str *id)
{
    long size = json_string_read(json, out, ROOM_ID_SIZE_MAX);
    if (size < 0)
        return ERR_BAD_ROOM_ID;
    *id = (struct str){out, (size_t)size};
    return room_id_is_valid(*id) ? OK : ERR_BAD_ROOM_ID;
}

/* Room for every character written as \" or as \u00xx, and the quotes. */
enum { NAME_JSON_SIZE_MAX = 6 * NAME_SIZE_MAX + 2 };

static enum err read_name(struct str json, char out[NAME_JSON_SIZE_MAX], struct str *name_json)
{
    char bytes[NAME_SIZE_MAX + 64]; /* with white space that the trim will take */

    *name_json = (struct str){NULL, 0};
    if (!json.text)
        return OK;
    long size = json_string_read(json, bytes, sizeof bytes);
    if (size < 0)
        return ERR_BAD_NAME;
    struct str name = {bytes, (size_t)size};
    if (!name_trim_and_check(&name))
        return ERR_BAD_NAME;
    if (name.size == 0)
        return OK; /* an empty name is no name */
    long written = json_string_write(name, out, NAME_JSON_SIZE_MAX);
    if (written < 0)
        return ERR_NO_MEMORY;
    *name_json = (struct str){out, (size_t)written};
    return OK;
}

static enum err join_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    char id_bytes[ROOM_ID_SIZE_MAX], name_bytes[NAME_JSON_SIZE_MAX], peer_id[PEER_ID_SIZE + 1];
    struct str id, name_json;
    struct str hello = message->members[MEMBER_HELLO];

    enum err err = read_room_id(message->members[MEMBER_ROOM_ID], id_bytes, &id);
    if (!err)
        err = read_name(message->members[MEMBER_NAME], name_bytes, &name_json);
    if (!err && hello.size > LIMIT_HELLO_SIZE_MAX)
        err = ERR_BAD_MESSAGE;
    if (!err && message->members[MEMBER_RESUME_TOKEN].text)
        err = ERR_BAD_RESUME_TOKEN; /* this server has given none out */
    if (err)
        return err;

    if (hub->refuses_joins)
        return ERR_HUB_FULL;
    hub->effects.make_peer_id(hub->effects.ctx, peer_id);
    err = rooms_join(hub->rooms, id, peer_id, name_json, id_of(hub, conn), &conn->seat);
    if (err)
        return err;
    conn->state = CONN_JOINED;
    conn->has_joined = true;
    hub->metrics->values[METRIC_JOINS_TOTAL]++;
    hub->metrics->values[METRIC_PEERS]++;
    hub->metrics->values[METRIC_ROOMS] = rooms_count(hub->rooms);

    encode_room_joined(&hub->scratch, conn->seat, hub->limits);
    send_scratch(hub, id_of(hub, conn));
    encode_user_joined(&hub->scratch, conn->seat, hello);
    send_scratch_to_others(hub, conn->seat);
    log_debug("peer_joined", log_text("peer", peer_id),
              log_uint("peers", room_seat_count(conn->seat)));
    return OK;
}

static enum err on_join_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    uint64_t wait_ms = admission_join(hub->admission, conn->from, hub->outer_ms);
    if (wait_ms) {
        answer_error(hub, conn, ERR_RATE_LIMITED, (struct str){NULL, 0}, wait_ms);
        return OK;
    }
    return join_room(hub, conn, message);
}

static enum err on_leave_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    (void)message;
    leave_room(hub, conn, "left");
    return OK;
}

/* The relay. The bytes of `message` go on as they came, in an envelope of ours: nothing of the
 * sender's own envelope passes, and nothing in `message` can reach out of its place, because the
 * scan has found it to be exactly one value. */
static enum err on_signal(struct hub *hub, struct conn *conn, const struct message *message)
{
    char bytes[PEER_ID_SIZE];
    long size = json_string_read(message->members[MEMBER_PEER_ID], bytes, sizeof bytes);
    struct str peer_id = {bytes, size < 0 ? 0 : (size_t)size};
    const struct seat *to = room_find_seat(conn->seat, peer_id);

    if (!to || to == conn->seat) {
        answer_error(hub, conn, ERR_UNKNOWN_PEER, peer_id, 0);
        return OK;
    }
    struct str parts[] = {
        STR("{\"type\":\"Signal\",\"peerId\":\""),
        {conn->seat->peer_id, PEER_ID_SIZE},
        STR("\",\"message\":"),
        message->members[MEMBER_MESSAGE],
        STR("}"),
    };
    hub->effects.send(hub->effects.ctx, to->conn, parts, ARRAY_SIZE(parts));
    return OK;
}

/* The protocol knows these and this hub does not yet. */
static enum err on_later(struct hub *hub, struct conn *conn, const struct message *message)
{
    (void)hub;
    (void)conn;
    (void)message;
    return ERR_UNKNOWN_TYPE;
}

/* What each type needs and costs. A new message is a new row. */
static const struct route {
    enum err (*handle)(struct hub *hub, struct conn *conn, const struct message *message);
    enum conn_state state; /* in which it may come */
    enum err wrong_state;  /* the answer in another */
    uint32_t cost;         /* tokens of limits->messages */
} routes[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_JOIN_ROOM] = {on_join_room, CONN_OPEN, ERR_ALREADY_IN_ROOM, LIMIT_JOIN_COST},
    [MESSAGE_SIGNAL] = {on_signal, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_LEAVE_ROOM] = {on_leave_room, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_LOCK_ROOM] = {on_later, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_ADMIT] = {on_later, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_DENY] = {on_later, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
    [MESSAGE_REFRESH_ICE_SERVERS] = {on_later, CONN_JOINED, ERR_NOT_IN_ROOM, 1},
};

/* ---- limits ---- */

/* A message over the rate is dropped; the sender is told so once a second, and closed when it goes
 * on. */
static void drop_message(struct hub *hub, struct conn *conn)
{
    hub->metrics->values[METRIC_RATE_DROPPED]++;
    if (hub->now_ms - conn->drops_since_ms > LIMIT_RATE_WINDOW_MS) {
        conn->drops_since_ms = hub->now_ms;
        conn->drops = 0;
    }
    if (++conn->drops > LIMIT_RATE_DROPS_MAX) {
        close_conn(hub, conn, CLOSE_POLICY);
        return;
    }
    if (conn->rate_error_ms && hub->now_ms - conn->rate_error_ms < LIMIT_RATE_ERROR_EVERY_MS)
        return;
    conn->rate_error_ms = hub->now_ms;
    uint64_t wait_ms = bucket_wait_ms(&conn->messages, hub->limits->messages, 1);
    answer_error(hub, conn, ERR_RATE_LIMITED, (struct str){NULL, 0}, wait_ms ? wait_ms : 1000);
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
    answer_error(hub, conn, err, (struct str){NULL, 0}, 0);
    if (err == ERR_BAD_MESSAGE && ++conn->bad_messages >= LIMIT_BAD_MESSAGES_MAX)
        close_conn(hub, conn, CLOSE_POLICY);
}

static void dispatch(struct hub *hub, struct conn *conn, struct str text)
{
    struct message message;
    enum err err = message_decode(&message, text);

    if (err) {
        answer_bad_message(hub, conn, err);
        return;
    }
    const struct route *route = &routes[message.type];
    hub->metrics->messages[message.type]++;
    if (conn->state != route->state) {
        answer_error(hub, conn, route->wrong_state, (struct str){NULL, 0}, 0);
        return;
    }
    if (!charge(hub, conn, route->cost)) {
        drop_message(hub, conn);
        return;
    }
    err = route->handle(hub, conn, &message);
    if (err == ERR_BAD_MESSAGE)
        answer_bad_message(hub, conn, err);
    else if (err)
        answer_error(hub, conn, err, (struct str){NULL, 0}, 0);
}

/* ---- what the edge calls ---- */

struct hub *hub_new(const struct limits *limits, const struct effects *effects,
                    struct metrics *metrics, struct admission *admission, struct siphash_key key,
                    uint64_t now_ms)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return NULL;
    *hub = (struct hub){
        .limits = limits,
        .effects = *effects,
        .metrics = metrics,
        .admission = admission,
        .outer_ms = now_ms,
        .now_ms = now_ms,
        .swept_ms = now_ms,
    };
    buf_init(&hub->scratch, MESSAGE_OUT_SIZE_MAX);
    hub->rooms = rooms_new(limits, key);
    hub->conns = calloc(limits->connections_max, sizeof *hub->conns);
    /* All of it now, so that whatever happens can be told. Untouched pages cost nothing. */
    bool can_speak = buf_reserve(&hub->scratch, MESSAGE_OUT_SIZE_MAX) != NULL;
    if (!hub->rooms || !hub->conns || !can_speak) {
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
    buf_deinit(&hub->scratch);
    free(hub);
}

conn_id hub_open(struct hub *hub, address_key from, uint64_t now_ms)
{
    struct conn *conn;

    advance_clock(hub, now_ms);
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
        .idle_since_ms = hub->now_ms,
        .heard_ms = hub->now_ms,
        .drops_since_ms = hub->now_ms,
    };
    bucket_init(&conn->messages, hub->limits->messages, hub->now_ms);
    bucket_init(&conn->bytes, hub->limits->bytes, hub->now_ms);
    hub->metrics->values[METRIC_WEBSOCKETS]++;
    return id_of(hub, conn);
}

void hub_receive(struct hub *hub, conn_id from, struct str text, uint64_t now_ms)
{
    struct conn *conn = find_conn(hub, from);

    if (!conn || conn->state == CONN_CLOSING)
        return;
    hub_heard(hub, from, now_ms);
    hub->metrics->values[METRIC_RECEIVED_BYTES] += text.size;
    if (!utf8_is_valid(text))
        close_conn(hub, conn, CLOSE_BAD_UTF8);
    else if (!is_within_rates(hub, conn, text.size))
        drop_message(hub, conn);
    else
        dispatch(hub, conn, text);
}

void hub_heard(struct hub *hub, conn_id from, uint64_t now_ms)
{
    struct conn *conn = find_conn(hub, from);

    advance_clock(hub, now_ms);
    if (!conn)
        return;
    conn->heard_ms = hub->now_ms;
    conn->pinged = false;
}

void hub_closed(struct hub *hub, conn_id id, enum hub_end end, uint64_t now_ms)
{
    static const char *const reasons[] = {
        [HUB_END_GOODBYE] = "left",
        [HUB_END_LOST] = "timeout",
        [HUB_END_REMOVED] = "removed",
    };
    struct conn *conn = find_conn(hub, id);

    advance_clock(hub, now_ms);
    if (!conn)
        return;
    leave_room(hub, conn, reasons[end]);
    conn->state = CONN_FREE;
    conn->next_free = hub->first_free;
    hub->first_free = (uint32_t)(conn - hub->conns) + 1;
    hub->metrics->values[METRIC_WEBSOCKETS]--;
}

static void look_after(struct hub *hub, struct conn *conn)
{
    uint64_t silent_ms = hub->now_ms - conn->heard_ms;

    if (conn->state == CONN_OPEN && !conn->has_joined &&
        hub->now_ms - conn->idle_since_ms >= hub->limits->join_deadline_ms) {
        close_conn(hub, conn, CLOSE_NO_JOIN);
    } else if (silent_ms >= hub->limits->gone_after_ms) {
        close_conn(hub, conn, CLOSE_SILENT);
    } else if (silent_ms >= hub->limits->ping_after_ms && !conn->pinged) {
        conn->pinged = true;
        hub->effects.ping(hub->effects.ctx, id_of(hub, conn));
    }
}

void hub_refuse_joins(struct hub *hub, bool on)
{
    hub->refuses_joins = on;
}

void hub_tick(struct hub *hub, uint64_t now_ms)
{
    advance_clock(hub, now_ms);
    for (uint32_t slot = 0; slot < hub->conns_used; slot++)
        if (hub->conns[slot].state == CONN_OPEN || hub->conns[slot].state == CONN_JOINED)
            look_after(hub, &hub->conns[slot]);
    if (hub->now_ms - hub->swept_ms >= SWEEP_EVERY_MS) {
        hub->swept_ms = hub->now_ms;
        admission_sweep(hub->admission, hub->outer_ms);
    }
}
