/* How peers come into a room: by joining, by knocking, and by coming back to a seat of theirs. */
#include "hub_private.h"

#include "aloha/encode.h"
#include "aloha/json.h"
#include "aloha/log.h"
#include "aloha/name.h"

#include <string.h>

/* ---- peers from another process ----
 * A token that another process gave out makes a seat anew, and those who come from there too are not
 * told: they know each other. So that nobody comes back unseen after he has left, the last ones to
 * leave are remembered; so are those whom the operator has removed, and the rooms that he has closed. */

void hub_remember(struct hub *hub, struct memory *memory, struct str id)
{
    memory->hashes[memory->next] = siphash(hub->options.key, id.text, id.size);
    memory->next = (memory->next + 1) % MEMORY_MAX;
}

static bool remembers(const struct hub *hub, const struct memory *memory, struct str id)
{
    uint64_t hash = siphash(hub->options.key, id.text, id.size);
    for (size_t i = 0; i < MEMORY_MAX; i++)
        if (memory->hashes[i] == hash)
            return true;
    return false;
}

/* Whether who was away may still take a seat anew with the token of another process. */
static bool may_return(const struct hub *hub, struct str room, struct str peer)
{
    return !remembers(hub, &hub->gone, peer) && !remembers(hub, &hub->removed, peer) &&
           !remembers(hub, &hub->closed, room);
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

    out->name_json = hub_nobody;
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
bool hub_make_token(struct hub *hub, struct str room, const char *peer_id, char out[TOKEN_SIZE + 1])
{
    struct token token = {
        .process = hub->options.process,
        .issued_s = hub->effects.wall_s(hub->effects.ctx),
    };
    memcpy(token.peer_id, peer_id, sizeof token.peer_id);
    return token_write(out, &hub->options.token_key, room, &token);
}

void hub_sit_down(struct hub *hub, struct conn *conn, struct seat *seat)
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
void hub_introduce(struct hub *hub, const struct seat *seat, const char *token, struct str hello)
{
    struct joined joined = {.token = str_of(token), .limits_json = buf_str(&hub->limits_json)};

    hub->metrics->values[METRIC_JOINS_TOTAL]++;
    hub->metrics->values[METRIC_PEERS]++;
    hub_count_rooms(hub);
    welcome(hub, seat, &joined);
    encode_user_joined(&hub->scratch, seat, hello);
    hub_tell_others(hub, seat);
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
                               hub_id_of(hub, conn), &seat, hub->outer_ms);
    if (err)
        return err;
    if (request->hello.size && !buf_add(&seat->kept, request->hello)) {
        rooms_leave(hub->rooms, seat);
        return ERR_NO_MEMORY;
    }
    hub_count_kept(hub, (int64_t)seat->kept.size);
    conn->seat = seat;
    conn->state = CONN_KNOCKING;
    conn->has_joined = true;
    hub->metrics->values[METRIC_KNOCKS]++;
    encode_waiting(&hub->scratch);
    hub_send_scratch(hub, seat->conn);
    encode_knock(&hub->scratch, seat);
    hub_tell_others(hub, seat);
    return OK;
}

/* True for a room that would have to be made while none is. */
static bool is_shut_out(const struct hub *hub, struct str room)
{
    return (hub->draining || hub->cordoned) && !rooms_exists(hub->rooms, room);
}

static enum err join(struct hub *hub, struct conn *conn, const struct request *request)
{
    char peer_id[PEER_ID_SIZE + 1], token[TOKEN_SIZE + 1];
    struct seat *seat;

    if (hub->refuses_joins || is_shut_out(hub, request->room_id))
        return ERR_HUB_FULL;
    if (rooms_is_locked(hub->rooms, request->room_id))
        return knock(hub, conn, request);
    hub->effects.make_peer_id(hub->effects.ctx, peer_id);
    if (!hub_make_token(hub, request->room_id, peer_id, token))
        return ERR_NO_MEMORY;
    enum err err = rooms_join(hub->rooms, request->room_id, peer_id, request->name_json,
                              hub_id_of(hub, conn), &seat, hub->outer_ms);
    if (err)
        return err;
    hub_sit_down(hub, conn, seat);
    hub_introduce(hub, seat, token, request->hello);
    return OK;
}

/* ---- coming back ---- */

/* The seat is in this process: whoever sits there makes room, for the newest socket wins. */
static enum err take_seat(struct hub *hub, struct conn *conn, struct seat *seat)
{
    char token[TOKEN_SIZE + 1];

    if (!hub_make_token(hub, room_id(seat), seat->peer_id, token))
        return ERR_NO_MEMORY;
    struct conn *before = hub_find_conn(hub, seat->conn);
    if (before) {
        before->seat = NULL;
        hub_close_conn(hub, before, CLOSE_REPLACED);
    }
    hub_unhold(hub, seat);
    hub_sit_down(hub, conn, seat);
    struct joined joined = {.token = str_of(token),
                            .limits_json = buf_str(&hub->limits_json),
                            .resumed = true};
    welcome(hub, seat, &joined);
    hub_send_kept(hub, seat);
    return OK;
}

/* The seat was in another process: it is made anew, as if nothing had happened. */
static enum err restore_seat(struct hub *hub, struct conn *conn, const struct request *request,
                             const struct token *old)
{
    char token[TOKEN_SIZE + 1];
    struct seat *seat;

    if (!hub_make_token(hub, request->room_id, old->peer_id, token))
        return ERR_NO_MEMORY;
    enum err err = rooms_join(hub->rooms, request->room_id, old->peer_id, request->name_json,
                              hub_id_of(hub, conn), &seat, hub->outer_ms);
    if (err)
        return err;
    seat->process = old->process;
    hub_sit_down(hub, conn, seat);
    hub->metrics->values[METRIC_PEERS]++;
    hub_count_rooms(hub);
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
static bool is_restorable(const struct hub *hub, struct str room, const struct token *token)
{
    uint64_t now_s = hub->effects.wall_s(hub->effects.ctx);
    uint64_t age_s = now_s > token->issued_s ? now_s - token->issued_s : token->issued_s - now_s;

    return hub->limits->resume_ms && token->process != hub->options.process &&
           age_s <= LIMIT_TOKEN_AGE_MAX_S && may_return(hub, room, str_of(token->peer_id));
}

static enum err resume(struct hub *hub, struct conn *conn, const struct request *request,
                       const struct token *token)
{
    struct seat *seat = rooms_find_seat(hub->rooms, request->room_id, str_of(token->peer_id));
    enum err err;

    if (seat)
        err = take_seat(hub, conn, seat);
    else if (!is_restorable(hub, request->room_id, token))
        err = ERR_BAD_RESUME_TOKEN;
    else if (hub->draining || is_shut_out(hub, request->room_id))
        err = ERR_HUB_FULL; /* it stays good, for the next process or another node */
    else
        err = restore_seat(hub, conn, request, token);
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
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, hub_nobody, wait_ms);
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
        hub_answer_error(hub, conn, ERR_RATE_LIMITED, hub_nobody, wait_ms);
        return OK;
    }
    return err ? err : join(hub, conn, &request);
}
