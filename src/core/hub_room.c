#include "hub_private.h"

#include "aloha/encode.h"
#include "aloha/json.h"
#include "aloha/log.h"
#include "aloha/name.h"

#include <string.h>
#include <utlist.h>

static const struct str nobody = {NULL, 0};

/* ---- telling ---- */

/* To the members but `except`, who may be one who knocks; not to those who are away: RoomJoined, and what
 * comes with it, will tell them how things stand. */
static void tell_others(struct hub *hub, const struct seat *except)
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

static void note_kept(struct hub *hub, const struct seat *seat, bool more)
{
    hub->kept_size += more ? seat->kept.size : -(uint64_t)seat->kept.size;
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
    note_kept(hub, seat, false);
    buf_add(&seat->kept, (struct str){(const char *)&size, sizeof size});
    for (size_t i = 0; i < count; i++)
        buf_add(&seat->kept, parts[i]);
    seat->kept_count++;
    note_kept(hub, seat, true);
    return true;
}

static void forget_kept(struct hub *hub, struct seat *seat)
{
    note_kept(hub, seat, false);
    buf_deinit(&seat->kept);
    seat->kept_count = 0;
    note_kept(hub, seat, true);
}

/* Sends what was kept, in the order in which it came. */
static void send_kept(struct hub *hub, struct seat *seat)
{
    uint32_t size;

    for (size_t at = 0; at < seat->kept.size; at += size) {
        memcpy(&size, seat->kept.data + at, sizeof size);
        at += sizeof size;
        struct str text = {seat->kept.data + at, size};
        hub->effects.send(hub->effects.ctx, seat->conn, &text, 1);
    }
    forget_kept(hub, seat);
}

static void count_rooms(struct hub *hub)
{
    hub->metrics->values[METRIC_ROOMS] = rooms_count(hub->rooms);
}

/* ---- peers from another process ----
 * A token that another process gave out makes a seat anew, and those who come from there too are not
 * told: they know each other. So that nobody comes back unseen after he has left, the last ones to
 * leave are remembered. */

static uint64_t hash_peer(const struct hub *hub, const char *peer_id)
{
    return siphash(hub->options.key, peer_id, PEER_ID_SIZE);
}

static void remember_gone(struct hub *hub, const struct seat *seat)
{
    if (!seat->process)
        return;
    hub->gone[hub->gone_next] = hash_peer(hub, seat->peer_id);
    hub->gone_next = (hub->gone_next + 1) % GONE_MAX;
}

static bool is_gone(const struct hub *hub, const char *peer_id)
{
    uint64_t hash = hash_peer(hub, peer_id);
    for (size_t i = 0; i < GONE_MAX; i++)
        if (hub->gone[i] == hash)
            return true;
    return false;
}

/* ---- coming in ---- */

/* What a JoinRoom asks for, read and found in order. */
struct request {
    struct str room_id, name_json, hello, token_json;
    char room_id_bytes[ROOM_ID_SIZE_MAX];
    char name_bytes[6 * NAME_SIZE_MAX + 2]; /* each character as \" or \u00xx, and the quotes */
};

static enum err read_room_id(struct str json, struct request *out)
{
    long size = json_string_read(json, out->room_id_bytes, sizeof out->room_id_bytes);
    if (size < 0)
        return ERR_BAD_ROOM_ID;
    out->room_id = (struct str){out->room_id_bytes, (size_t)size};
    return room_id_is_valid(out->room_id) ? OK : ERR_BAD_ROOM_ID;
}

static enum err read_name(struct str json, struct request *out)
{
    char bytes[NAME_RAW_SIZE_MAX + 64]; /* with white space that will be cut off */
    char normal[NAME_SIZE_MAX];
    struct str name;

    out->name_json = nobody;
    if (!json.text)
        return OK;
    long size = json_string_read(json, bytes, sizeof bytes);
    if (size < 0)
        return ERR_BAD_NAME;
    enum err err = name_normalize((struct str){bytes, (size_t)size}, normal, &name);
    if (err || name.size == 0)
        return err; /* an empty name is no name */
    long written = json_string_write(name, out->name_bytes, sizeof out->name_bytes);
    if (written < 0)
        return ERR_NO_MEMORY;
    out->name_json = (struct str){out->name_bytes, (size_t)written};
    return OK;
}

static enum err read_request(const struct message *message, struct request *out)
{
    out->hello = message->members[MEMBER_HELLO];
    out->token_json = message->members[MEMBER_RESUME_TOKEN];
    enum err err = read_room_id(message->members[MEMBER_ROOM_ID], out);
    if (!err)
        err = read_name(message->members[MEMBER_NAME], out);
    if (!err && out->hello.size > LIMIT_HELLO_SIZE_MAX)
        err = ERR_BAD_MESSAGE;
    return err;
}

/* The token for the seat of that peer. */
static bool make_token(struct hub *hub, struct str room, const char *peer_id,
                       char out[TOKEN_SIZE + 1])
{
    struct token token = {
        .process = hub->options.process,
        .issued_s = hub->effects.wall_s(hub->effects.ctx),
    };
    memcpy(token.peer_id, peer_id, sizeof token.peer_id);
    return token_write(out, &hub->options.token_key, room, &token);
}

static void sit_down(struct hub *hub, struct conn *conn, struct seat *seat)
{
    seat->conn = hub_id_of(hub, conn);
    conn->seat = seat;
    conn->state = CONN_JOINED;
    conn->has_joined = true;
}

/* RoomJoined, and then who knocks at this very moment: whatever one who comes back knew of that is over. */
static void welcome(struct hub *hub, const struct seat *seat, const struct joined *joined)
{
    encode_room_joined(&hub->scratch, seat, joined);
    hub_send_scratch(hub, seat->conn);
    for (struct seat *knock = room_first_knock(seat); knock; knock = knock->next) {
        encode_knock(&hub->scratch, knock);
        hub_send_scratch(hub, seat->conn);
    }
}

/* Introduces a new member and the others to one another. */
static void introduce(struct hub *hub, const struct seat *seat, const char *token, struct str hello)
{
    struct joined joined = {.token = str_of(token), .limits_json = buf_str(&hub->limits_json)};

    hub->metrics->values[METRIC_JOINS_TOTAL]++;
    hub->metrics->values[METRIC_PEERS]++;
    count_rooms(hub);
    welcome(hub, seat, &joined);
    encode_user_joined(&hub->scratch, seat, hello);
    tell_others(hub, seat);
    log_debug("peer_joined", log_text("peer", seat->peer_id),
              log_uint("peers", room_seat_count(seat)));
}

static enum err knock(struct hub *hub, struct conn *conn, const struct request *request)
{
    char peer_id[PEER_ID_SIZE + 1];
    struct seat *seat;

    if (hub->kept_size + request->hello.size > hub->limits->backlogs_size_max)
        return ERR_HUB_FULL;
    hub->effects.make_peer_id(hub->effects.ctx, peer_id);
    enum err err = rooms_knock(hub->rooms, request->room_id, peer_id, request->name_json,
                               hub_id_of(hub, conn), &seat);
    if (err)
        return err;
    if (request->hello.size && !buf_add(&seat->kept, request->hello)) {
        rooms_leave(hub->rooms, seat);
        return ERR_NO_MEMORY;
    }
    note_kept(hub, seat, true);
    conn->seat = seat;
    conn->state = CONN_KNOCKING;
    conn->has_joined = true;
    hub->metrics->values[METRIC_KNOCKS]++;
    encode_waiting(&hub->scratch);
    hub_send_scratch(hub, seat->conn);
    encode_knock(&hub->scratch, seat);
    tell_others(hub, seat);
    return OK;
}

static enum err join(struct hub *hub, struct conn *conn, const struct request *request)
{
    char peer_id[PEER_ID_SIZE + 1], token[TOKEN_SIZE + 1];
    struct seat *seat;

    if (hub->refuses_joins || (hub->draining && !rooms_exists(hub->rooms, request->room_id)))
        return ERR_HUB_FULL;
    if (rooms_is_locked(hub->rooms, request->room_id))
        return knock(hub, conn, request);
    hub->effects.make_peer_id(hub->effects.ctx, peer_id);
    if (!make_token(hub, request->room_id, peer_id, token))
        return ERR_NO_MEMORY;
    enum err err = rooms_join(hub->rooms, request->room_id, peer_id, request->name_json,
                              hub_id_of(hub, conn), &seat);
    if (err)
        return err;
    sit_down(hub, conn, seat);
    introduce(hub, seat, token, request->hello);
    return OK;
}

/* ---- coming back ---- */

static void unhold(struct hub *hub, struct seat *seat)
{
    if (seat->held_until_ms == 0)
        return;
    DL_DELETE2(hub->held, seat, prev_held, next_held);
    seat->held_until_ms = 0;
    hub->metrics->values[METRIC_SEATS_HELD]--;
}

/* The seat is in this process: whoever sits there makes room, for the newest socket wins. */
static enum err take_seat(struct hub *hub, struct conn *conn, struct seat *seat)
{
    char token[TOKEN_SIZE + 1];

    if (!make_token(hub, room_id(seat), seat->peer_id, token))
        return ERR_NO_MEMORY;
    struct conn *before = hub_find_conn(hub, seat->conn);
    if (before) {
        before->seat = NULL;
        hub_close_conn(hub, before, CLOSE_REPLACED);
    }
    unhold(hub, seat);
    sit_down(hub, conn, seat);
    struct joined joined = {.token = str_of(token),
                            .limits_json = buf_str(&hub->limits_json),
                            .resumed = true};
    welcome(hub, seat, &joined);
    send_kept(hub, seat);
    return OK;
}

/* The seat was in another process: it is made anew, as if nothing had happened. */
static enum err restore_seat(struct hub *hub, struct conn *conn, const struct request *request,
                             const struct token *old)
{
    char token[TOKEN_SIZE + 1];
    struct seat *seat;

    if (!make_token(hub, request->room_id, old->peer_id, token))
        return ERR_NO_MEMORY;
    enum err err = rooms_join(hub->rooms, request->room_id, old->peer_id, request->name_json,
                              hub_id_of(hub, conn), &seat);
    if (err)
        return err;
    seat->process = old->process;
    sit_down(hub, conn, seat);
    hub->metrics->values[METRIC_PEERS]++;
    count_rooms(hub);
    struct joined joined = {.token = str_of(token),
                            .limits_json = buf_str(&hub->limits_json),
                            .resumed = true,
                            .restored = true};
    welcome(hub, seat, &joined);
    encode_user_joined(&hub->scratch, seat, request->hello);
    for (struct seat *other = room_first_seat(seat); other; other = other->next)
        if (encode_is_told(seat, other))
            hub_send_scratch(hub, other->conn);
    return OK;
}

/* Whether it is another process's token that still counts: the clocks of two machines may differ. */
static bool is_restorable(const struct hub *hub, const struct token *token)
{
    uint64_t now_s = hub->effects.wall_s(hub->effects.ctx);
    uint64_t age_s = now_s > token->issued_s ? now_s - token->issued_s : token->issued_s - now_s;

    return hub->limits->resume_ms && token->process != hub->options.process &&
           age_s <= LIMIT_TOKEN_AGE_MAX_S && !is_gone(hub, token->peer_id);
}

static enum err resume(struct hub *hub, struct conn *conn, const struct request *request,
                       const struct token *token)
{
    struct seat *seat = rooms_find_seat(hub->rooms, request->room_id, str_of(token->peer_id));
    enum err err = ERR_BAD_RESUME_TOKEN; /* our own token: that seat was given up */

    if (seat)
        err = take_seat(hub, conn, seat);
    else if (is_restorable(hub,
                           token)) /* while draining the token stays good, for the next process */
        err = hub->draining ? ERR_HUB_FULL : restore_seat(hub, conn, request, token);
    hub->metrics->values[err ? METRIC_RESUMES_REFUSED : METRIC_RESUMES]++;
    if (!err)
        log_debug("peer_resumed", log_text("peer", token->peer_id));
    return err;
}

static enum token_verdict read_token(const struct hub *hub, const struct request *request,
                                     struct token *out)
{
    char text[TOKEN_SIZE];
    long size = json_string_read(request->token_json, text, sizeof text);

    return token_read(out, &hub->options.token_key, request->room_id,
                      (struct str){text, size < 0 ? 0 : (size_t)size});
}

/* Whoever shows what nobody was given waits before he may show more of it. Good tokens are never kept
 * waiting, or one forger would cost all behind his address their seats. */
static enum err refuse_forged(struct hub *hub, struct conn *conn)
{
    uint64_t wait_ms = admission_forged_wait(hub->options.admission, conn->from, hub->outer_ms);

    if (wait_ms) {
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, nobody, wait_ms);
        return OK;
    }
    hub->metrics->values[METRIC_RESUMES_REFUSED]++;
    admission_note_forged(hub->options.admission, conn->from, hub->outer_ms);
    return ERR_BAD_RESUME_TOKEN;
}

static enum err come_back(struct hub *hub, struct conn *conn, const struct request *request)
{
    struct token token;

    switch (read_token(hub, request, &token)) {
    case TOKEN_GOOD:
        return resume(hub, conn, request, &token);
    case TOKEN_NO_MEMORY:
        return ERR_NO_MEMORY;
    case TOKEN_FORGED:
        break;
    }
    return refuse_forged(hub, conn);
}

enum err hub_on_join_room(struct hub *hub, struct conn *conn, const struct message *message)
{
    struct request request;

    enum err err = read_request(message, &request);
    if (!err && request.token_json.text)
        return come_back(hub, conn, &request);
    uint64_t wait_ms = admission_join(hub->options.admission, conn->from, hub->outer_ms);
    if (wait_ms) {
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, nobody, wait_ms);
        return OK;
    }
    return err ? err : join(hub, conn, &request);
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
    tell_others(hub, knock);
    forget_kept(hub, knock);
    hub->metrics->values[METRIC_KNOCKS]--;
    rooms_leave(hub->rooms, knock);
}

/* Sends one who knocks away; he may knock again. */
static void refuse(struct hub *hub, struct seat *knock, enum err why)
{
    struct conn *conn = hub_find_conn(hub, knock->conn);

    stand_outside(hub, knock);
    if (conn)
        hub_answer_error(hub, conn, why, nobody, 0);
}

/* Lets one who knocks in. On an error all is as it was. */
static enum err admit(struct hub *hub, struct seat *knock)
{
    char token[TOKEN_SIZE + 1];
    struct conn *conn = hub_find_conn(hub, knock->conn);

    if (!make_token(hub, room_id(knock), knock->peer_id, token))
        return ERR_HUB_FULL;
    enum err err = rooms_admit(hub->rooms, knock);
    if (err)
        return err;
    hub->metrics->values[METRIC_KNOCKS]--;
    encode_knock_ended(&hub->scratch, knock->peer_id);
    tell_others(hub, knock);
    sit_down(hub, conn, knock);
    introduce(hub, knock, token, buf_str(&knock->kept));
    forget_kept(hub, knock);
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
    tell_others(hub, conn->seat);
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
    if (to->conn)
        hub->effects.send(hub->effects.ctx, to->conn, parts, ARRAY_SIZE(parts));
    else if (hub->draining || !keep(hub, to, parts, ARRAY_SIZE(parts))) /* it would end with us */
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, peer_id, held_ms(hub, to));
    return OK;
}

enum err hub_on_refresh_ice_servers(struct hub *hub, struct conn *conn,
                                    const struct message *message)
{
    (void)message;
    if (!bucket_take(&conn->ice, hub_ice_rate, 1, hub->now_ms)) {
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, nobody,
                         bucket_wait_ms(&conn->ice, hub_ice_rate, 1));
        return OK;
    }
    encode_ice_servers(&hub->scratch);
    hub_send_scratch(hub, hub_id_of(hub, conn));
    return OK;
}

/* ---- leaving ---- */

/* Frees a member's seat. The room's last member unlocks it in leaving. */
static void free_seat(struct hub *hub, struct seat *seat, const char *reason)
{
    const struct seat *knock = room_first_knock(seat);

    encode_user_left(&hub->scratch, seat->peer_id, reason);
    tell_others(hub, seat);
    log_debug("peer_left", log_text("peer", seat->peer_id), log_text("reason", reason));
    remember_gone(hub, seat);
    unhold(hub, seat);
    forget_kept(hub, seat);
    rooms_leave(hub->rooms, seat);
    hub->metrics->values[METRIC_PEERS]--;
    if (knock && room_seat_count(knock) == 0) {
        room_set_locked(knock, false);
        let_all_in(hub, knock);
    }
    count_rooms(hub);
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
        free_seat(hub, seat, reason);
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
        free_seat(hub, hub->held, "timeout");
}
