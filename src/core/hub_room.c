#include "hub_private.h"

#include "aloha/encode.h"
#include "aloha/json.h"
#include "aloha/log.h"

#include <string.h>
#include <utlist.h>

const struct str hub_nobody = {NULL, 0};

/* ---- telling ---- */

/* To the members but `except`, who may be one who knocks; not to those who are away: RoomJoined, and what
 * comes with it, will tell them how things stand. */
void hub_tell_others(struct hub *hub, const struct seat *except)
{
    for (struct seat *seat = room_first_seat(except); seat; seat = seat->next)
        if (seat != except)
            hub_send_scratch(hub, seat->conn);
}

static size_t size_of(const struct str *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    return size;
}

void hub_count_kept(struct hub *hub, int64_t bytes)
{
    hub->kept_size += (uint64_t)bytes;
    hub->metrics->values[METRIC_BACKLOG_BYTES] = hub->kept_size;
}

/* Keeps a message for a peer who is away. False when that is too much. */
static bool keep(struct hub *hub, struct seat *seat, const struct str *parts, size_t count)
{
    const struct limits *limits = hub->limits;
    uint32_t size = (uint32_t)size_of(parts, count); /* one message: far below 4 GiB */
    size_t more = sizeof size + size;

    if (seat->kept_count >= limits->backlog_messages_max ||
        hub->kept_size + more > limits->backlogs_size_max || !buf_reserve(&seat->kept, more))
        return false;
    buf_add(&seat->kept, (struct str){(const char *)&size, sizeof size});
    for (size_t i = 0; i < count; i++)
        buf_add(&seat->kept, parts[i]);
    seat->kept_count++;
    hub_count_kept(hub, (int64_t)more);
    return true;
}

void hub_forget_kept(struct hub *hub, struct seat *seat)
{
    hub_count_kept(hub, -(int64_t)seat->kept.size);
    buf_deinit(&seat->kept);
    seat->kept_count = 0;
}

/* Sends what was kept, in the order in which it came. */
void hub_send_kept(struct hub *hub, struct seat *seat)
{
    uint32_t size;

    for (size_t at = 0; at < seat->kept.size; at += size) {
        memcpy(&size, seat->kept.data + at, sizeof size);
        at += sizeof size;
        struct str text = {seat->kept.data + at, size};
        hub->effects.send(hub->effects.ctx, seat->conn, &text, 1);
    }
    hub_forget_kept(hub, seat);
}

void hub_count_rooms(struct hub *hub)
{
    hub->metrics->values[METRIC_ROOMS] = rooms_count(hub->rooms);
}

/* ---- at the door ---- */

static void stand_outside(struct hub *hub, struct seat *knock)
{
    struct conn *conn = hub_find_conn(hub, knock->conn);

    if (conn) {
        conn->seat = NULL;
        conn->state = CONN_OPEN;
    }
    encode_knock_ended(&hub->scratch, knock->peer_id);
    hub_tell_others(hub, knock);
    hub_forget_kept(hub, knock);
    hub->metrics->values[METRIC_KNOCKS]--;
    rooms_leave(hub->rooms, knock);
}

/* Sends one who knocks away; he may knock again. */
static void refuse(struct hub *hub, struct seat *knock, enum err why)
{
    struct conn *conn = hub_find_conn(hub, knock->conn);

    stand_outside(hub, knock);
    if (conn)
        hub_answer_error(hub, conn, why, hub_nobody, 0);
}

/* Lets one who knocks in. On an error all is as it was. */
static enum err admit(struct hub *hub, struct seat *knock)
{
    char token[TOKEN_SIZE + 1];
    struct conn *conn = hub_find_conn(hub, knock->conn);

    if (!hub_make_token(hub, room_id(knock), knock->peer_id, token))
        return ERR_HUB_FULL;
    enum err err = rooms_admit(hub->rooms, knock, hub->outer_ms);
    if (err)
        return err;
    hub->metrics->values[METRIC_KNOCKS]--;
    encode_knock_ended(&hub->scratch, knock->peer_id);
    hub_tell_others(hub, knock);
    hub_sit_down(hub, conn, knock);
    hub_introduce(hub, knock, token, buf_str(&knock->kept));
    hub_forget_kept(hub, knock);
    return OK;
}

/* The door is open: all who wait come in, in the order of their knocks, as long as there are seats. */
static void let_all_in(struct hub *hub, const struct seat *any)
{
    struct seat *next;

    for (struct seat *knock = room_first_knock(any); knock; knock = next) {
        next = knock->next;
        enum err err = admit(hub, knock);
        if (err)
            refuse(hub, knock, err);
    }
}

enum err hub_on_lock_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    bool locked = str_equal(message->members[MEMBER_LOCKED], STR("true"));

    room_set_locked(conn->seat, locked);
    encode_room_locked(&hub->scratch, conn->seat);
    hub_send_scratch(hub, conn->seat->conn);
    hub_tell_others(hub, conn->seat);
    if (!locked)
        let_all_in(hub, conn->seat);
    return OK;
}

/* Reads the member peerId into `bytes`; what is no such text becomes the empty one, which nobody has. */
static struct str read_peer_id(const struct message *message, char bytes[PEER_ID_SIZE])
{
    long size = json_string_read(message->members[MEMBER_PEER_ID], bytes, PEER_ID_SIZE);
    return (struct str){bytes, size < 0 ? 0 : (size_t)size};
}

enum err hub_on_admit(struct hub *hub, struct conn *conn, const struct message *message)
{
    char bytes[PEER_ID_SIZE];
    struct str peer_id = read_peer_id(message, bytes);
    struct seat *knock = room_find_knock(conn->seat, peer_id);

    enum err err = knock ? admit(hub, knock) : ERR_UNKNOWN_PEER;
    if (err)
        hub_answer_error(hub, conn, err, peer_id, 0);
    return OK;
}

enum err hub_on_deny(struct hub *hub, struct conn *conn, const struct message *message)
{
    char bytes[PEER_ID_SIZE];
    struct str peer_id = read_peer_id(message, bytes);
    struct seat *knock = room_find_knock(conn->seat, peer_id);

    if (knock)
        refuse(hub, knock, ERR_ROOM_LOCKED);
    else
        hub_answer_error(hub, conn, ERR_UNKNOWN_PEER, peer_id, 0);
    return OK;
}

/* ---- in the room ---- */

/* For how long a seat will still be held: 1 also when no tick has yet come to end it. */
static uint64_t held_ms(const struct hub *hub, const struct seat *seat)
{
    return seat->held_until_ms > hub->now_ms ? seat->held_until_ms - hub->now_ms : 1;
}

/* The relay. The bytes of `message` go on as they came, in an envelope of ours: nothing of the
 * sender's own envelope passes, and nothing in `message` can reach out of its place, because the
 * scan has found it to be exactly one value. */
enum err hub_on_signal(struct hub *hub, struct conn *conn, const struct message *message)
{
    char bytes[PEER_ID_SIZE];
    struct str peer_id = read_peer_id(message, bytes);
    struct seat *to = room_find_seat(conn->seat, peer_id);

    if (!to || to == conn->seat) {
        hub_answer_error(hub, conn, ERR_UNKNOWN_PEER, peer_id, 0);
        return OK;
    }
    struct str parts[] = {
        STR("{\"type\":\"Signal\",\"peerId\":\""),
        {conn->seat->peer_id, PEER_ID_SIZE},
        STR("\",\"message\":"),
        message->members[MEMBER_MESSAGE],
        STR("}"),
    };
    if (to->conn) {
        hub->effects.send(hub->effects.ctx, to->conn, parts, ARRAY_SIZE(parts));
        hub->metrics->values[METRIC_SIGNALS_RELAYED]++;
    } else if (hub->draining ||
               !keep(hub, to, parts, ARRAY_SIZE(parts))) { /* it would end with us */
        hub->metrics->drops[DROP_BACKLOG]++;
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, peer_id, held_ms(hub, to));
    }
    return OK;
}

enum err hub_on_refresh_ice_servers(struct hub *hub, struct conn *conn,
                                    const struct message *message)
{
    (void)message;
    if (!bucket_take(&conn->ice, hub_ice_rate, 1, hub->now_ms)) {
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, hub_nobody,
                         bucket_wait_ms(&conn->ice, hub_ice_rate, 1));
        return OK;
    }
    encode_ice_servers(&hub->scratch);
    hub_send_scratch(hub, hub_id_of(hub, conn));
    return OK;
}

/* ---- leaving ---- */

void hub_unhold(struct hub *hub, struct seat *seat)
{
    if (seat->held_until_ms == 0)
        return;
    DL_DELETE2(hub->held, seat, prev_held, next_held);
    seat->held_until_ms = 0;
    hub->metrics->values[METRIC_SEATS_HELD]--;
}

/* The room's last member unlocks it in leaving. */
void hub_free_seat(struct hub *hub, struct seat *seat, const char *reason)
{
    const struct seat *knock = room_first_knock(seat);

    encode_user_left(&hub->scratch, seat->peer_id, reason);
    hub_tell_others(hub, seat);
    log_debug("peer_left", log_text("peer", seat->peer_id), log_text("reason", reason));
    if (seat->process) /* his old token is worth nothing now */
        hub_remember(hub, &hub->gone, str_of(seat->peer_id));
    hub_unhold(hub, seat);
    hub_forget_kept(hub, seat);
    rooms_leave(hub->rooms, seat);
    hub->metrics->values[METRIC_PEERS]--;
    if (knock && room_seat_count(knock) == 0) {
        room_set_locked(knock, false);
        let_all_in(hub, knock);
    }
    hub_count_rooms(hub);
}

void hub_leave(struct hub *hub, struct conn *conn, const char *reason)
{
    struct seat *seat = conn->seat;

    if (!seat)
        return;
    conn->seat = NULL;
    conn->state = CONN_OPEN;
    if (seat->knocking)
        stand_outside(hub, seat);
    else
        hub_free_seat(hub, seat, reason);
}

enum err hub_on_leave_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    (void)message;
    hub_leave(hub, conn, "left");
    return OK;
}

void hub_hold(struct hub *hub, struct conn *conn)
{
    struct seat *seat = conn->seat;

    if (!seat || seat->knocking || (hub->limits->resume_ms == 0 && !hub->draining)) {
        hub_leave(hub, conn, "timeout");
        return;
    }
    conn->seat = NULL;
    conn->state = CONN_OPEN;
    seat->conn = 0;
    seat->held_until_ms = hub->now_ms + hub->limits->resume_ms;
    DL_APPEND2(hub->held, seat, prev_held, next_held);
    hub->metrics->values[METRIC_SEATS_HELD]++;
}

void hub_expire_held(struct hub *hub)
{
    if (hub->draining)
        return; /* they come back to the next process, however long this one takes to end */
    while (hub->held && hub->held->held_until_ms <= hub->now_ms)
        hub_free_seat(hub, hub->held, "timeout");
}
