#include "walk_model.h"

#include <stdarg.h>
#include <stdio.h>

const char *const room_names[ROOMS] = {"tea", "coffee", "a.b", "~"};

/* ---- texts ---- */

static char texts[4 * 1024 * 1024];
static size_t texts_used;

const char *model_text(const char *format, ...)
{
    char *text = texts + texts_used;
    size_t room = sizeof texts - texts_used;
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, room, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= room)
        abort();
    texts_used += (size_t)size + 1;
    return text;
}

void model_forget_texts(void)
{
    texts_used = 0;
}

static void tell(struct model *model, unsigned socket, const char *text)
{
    if (model->told_count == TOLD_MAX)
        abort();
    model->told[model->told_count++] = (struct told){model->sockets[socket].id, socket, text};
}

static void tell_error(struct model *model, unsigned socket, enum err err, unsigned peer,
                       uint64_t retry_after_ms)
{
    const char *of = peer ? model_text(",\"peerId\":\"%s\"", peer_id(peer)) : "";
    const char *retry =
        retry_after_ms ? model_text(",\"retryAfterMs\":%llu", (unsigned long long)retry_after_ms)
                       : "";

    model->errors[err]++;
    tell(model, socket,
         model_text("{\"type\":\"Error\",\"code\":\"%s\",\"message\":\"%s\"%s%s}",
                    err_wire_name(err), err_text(err), of, retry));
}

/* ---- tables ---- */

void model_start(struct model *model, const struct world *world, unsigned peers_made)
{
    struct buf json;

    buf_init(&json, 4096);
    limits_write_json(&world->limits, &json);
    *model = (struct model){
        .limits = &world->limits,
        .limits_json = model_text("%.*s", (int)json.size, json.data),
        .process = world->process,
        .wall_s = world->wall_s,
        .outer_ms = world->now_ms,
        .clock_ms = world->now_ms,
        .peers_made = peers_made,
    };
    buf_deinit(&json);
}

struct model_seat *model_seat(struct model *model, unsigned peer)
{
    for (unsigned i = 0; i < SEATS_MAX; i++)
        if (peer && model->seats[i].peer == peer)
            return &model->seats[i];
    return NULL;
}

static struct model_seat *new_seat(struct model *model, unsigned peer, const char *name)
{
    for (unsigned i = 0; i < SEATS_MAX; i++) {
        if (model->seats[i].peer)
            continue;
        model->seats[i] = (struct model_seat){
            .peer = peer,
            .socket = NOBODY,
            .name = name,
            .since_ms = model->outer_ms,
        };
        return &model->seats[i];
    }
    abort();
}

/* Returns where the peer is in the list; count when it is not. */
static unsigned place_of(const unsigned *peers, unsigned count, unsigned peer)
{
    unsigned i = 0;
    while (i < count && peers[i] != peer)
        i++;
    return i;
}

static void take_out(unsigned *peers, unsigned *count, unsigned peer)
{
    unsigned place = place_of(peers, *count, peer);

    for (unsigned i = place; i + 1 < *count; i++)
        peers[i] = peers[i + 1];
    *count -= place < *count;
}

unsigned model_room_of(const struct model *model, unsigned peer)
{
    unsigned r = 0;
    while (r < ROOMS && place_of(model->rooms[r].seats, model->rooms[r].seat_count, peer) ==
                            model->rooms[r].seat_count)
        r++;
    return r;
}

static unsigned door_of(const struct model *model, unsigned peer)
{
    unsigned r = 0;
    while (r < ROOMS && place_of(model->rooms[r].knocks, model->rooms[r].knock_count, peer) ==
                            model->rooms[r].knock_count)
        r++;
    return r;
}

bool model_is_full(const struct model *model, unsigned room)
{
    return model->rooms[room].seat_count == ROOM_PEERS_MAX;
}

static bool exists(const struct model *model, unsigned room)
{
    return model->rooms[room].seat_count + model->rooms[room].knock_count > 0;
}

unsigned model_rooms(const struct model *model)
{
    unsigned count = 0;
    for (unsigned r = 0; r < ROOMS; r++)
        count += exists(model, r);
    return count;
}

size_t model_kept_size(const struct model *model)
{
    size_t size = 0;
    for (unsigned i = 0; i < SEATS_MAX; i++)
        if (model->seats[i].peer)
            size += model->seats[i].kept_size;
    return size;
}

/* ---- telling a room ---- */

/* Each kept message lies behind its size in four bytes. */
static bool keep(struct model *model, struct model_seat *seat, const char *text)
{
    size_t size = strlen(text) + 4;

    if (seat->kept_count == KEPT_MAX || seat->kept_size + size > model->limits->backlog_size_max ||
        model_kept_size(model) + size > model->limits->backlogs_size_max)
        return false;
    seat->kept[seat->kept_count++] = text;
    seat->kept_size += size;
    return true;
}

/* Tells the members who are there, but `except`. */
static void tell_room(struct model *model, unsigned room, unsigned except, const char *text)
{
    for (unsigned i = 0; i < model->rooms[room].seat_count; i++) {
        struct model_seat *seat = model_seat(model, model->rooms[room].seats[i]);
        if (seat->peer != except && seat->socket != NOBODY)
            tell(model, seat->socket, text);
    }
}

static void tell_knock_ended(struct model *model, unsigned room, unsigned peer)
{
    tell_room(model, room, peer,
              model_text("{\"type\":\"KnockEnded\",\"peerId\":\"%s\"}", peer_id(peer)));
}

static const char *member(const char *name, const char *json)
{
    return json[0] ? model_text(",\"%s\":%s", name, json) : "";
}

static const char *knock_text(const struct model_seat *knock)
{
    return model_text("{\"type\":\"Knock\",\"peerId\":\"%s\"%s}", peer_id(knock->peer),
                      member("name", knock->name));
}

static const char *user_joined_text(const struct model_seat *seat, const char *hello)
{
    return model_text("{\"type\":\"UserJoined\",\"peerId\":\"%s\"%s%s}", peer_id(seat->peer),
                      member("name", seat->name), member("hello", hello));
}

/* Whether one who comes from another process and that other one are strangers. */
static bool are_strangers(const struct model_seat *restored, const struct model_seat *other)
{
    return other->process != restored->process;
}

static const char *participants(struct model *model, unsigned room, const struct model_seat *self,
                                bool restored)
{
    const char *list = "";

    for (unsigned i = 0; i < model->rooms[room].seat_count; i++) {
        const struct model_seat *other = model_seat(model, model->rooms[room].seats[i]);
        if (other == self)
            continue;
        list = model_text("%s%s{\"peerId\":\"%s\"%s%s}", list, list[0] ? "," : "",
                          peer_id(other->peer), member("name", other->name),
                          restored && are_strangers(self, other) ? ",\"offers\":true" : "");
    }
    return list;
}

static void tell_room_joined(struct model *model, unsigned room, struct model_seat *seat,
                             bool resumed, bool restored)
{
    const char *token =
        resume_token_at(room_names[room], seat->peer, model->process, model->wall_s);

    tell(model, seat->socket,
         model_text("{\"type\":\"RoomJoined\",\"roomId\":\"%s\",\"peerId\":\"%s\","
                    "\"resumeToken\":\"%s\",\"resumed\":%s,\"participants\":[%s],"
                    "\"iceServers\":[],\"locked\":%s,\"limits\":%s}",
                    room_names[room], peer_id(seat->peer), token, resumed ? "true" : "false",
                    participants(model, room, seat, restored),
                    model->rooms[room].locked ? "true" : "false", model->limits_json));
    for (unsigned i = 0; i < model->rooms[room].knock_count; i++)
        tell(model, seat->socket, knock_text(model_seat(model, model->rooms[room].knocks[i])));
}

/* ---- coming in ---- */

static void sit_down(struct model *model, unsigned socket, struct model_seat *seat)
{
    seat->socket = socket;
    model->sockets[socket].state = JOINED;
    model->sockets[socket].peer = seat->peer;
    model->sockets[socket].has_joined = true;
}

static void enter(struct model *model, unsigned room, unsigned peer)
{
    if (!exists(model, room))
        model->rooms[room].since_ms = model->outer_ms;
    model_seat(model, peer)->since_ms = model->outer_ms;
    model->rooms[room].seats[model->rooms[room].seat_count++] = peer;
}

static void introduce(struct model *model, unsigned room, struct model_seat *seat,
                      const char *hello)
{
    model->joins++;
    tell_room_joined(model, room, seat, false, false);
    tell_room(model, room, seat->peer, user_joined_text(seat, hello));
}

static void knock(struct model *model, unsigned socket, const struct ask *ask)
{
    struct model_room *room = &model->rooms[ask->room];
    size_t size = strlen(ask->hello);

    if (model_kept_size(model) + size > model->limits->backlogs_size_max) {
        tell_error(model, socket, ERR_HUB_FULL, 0, 0);
        return;
    }
    unsigned peer = ++model->peers_made;
    if (model_is_full(model, ask->room) || room->knock_count == ROOM_PEERS_MAX) {
        tell_error(model, socket, ERR_ROOM_FULL, 0, 0);
        return;
    }
    struct model_seat *seat = new_seat(model, peer, ask->name);
    seat->hello = ask->hello;
    seat->kept_size = size;
    seat->socket = socket;
    room->knocks[room->knock_count++] = peer;
    model->sockets[socket].state = KNOCKING;
    model->sockets[socket].peer = peer;
    model->sockets[socket].has_joined = true;
    tell(model, socket, "{\"type\":\"Waiting\"}");
    tell_room(model, ask->room, peer, knock_text(seat));
}

/* What hinders a peer of a free number to enter. */
static enum err why_not(const struct model *model, unsigned room)
{
    if (model_is_full(model, room))
        return ERR_ROOM_FULL;
    return !exists(model, room) && model_rooms(model) == ROOMS_MAX ? ERR_HUB_FULL : OK;
}

static void join(struct model *model, unsigned socket, const struct ask *ask)
{
    if (model->refuses_joins ||
        ((model->draining || model->cordoned) && !exists(model, ask->room))) {
        tell_error(model, socket, ERR_HUB_FULL, 0, 0);
        return;
    }
    if (model->rooms[ask->room].locked) {
        knock(model, socket, ask);
        return;
    }
    unsigned peer = ++model->peers_made; /* an id that is not used is not used again either */
    enum err err = why_not(model, ask->room);
    if (err) {
        tell_error(model, socket, err, 0, 0);
        return;
    }
    struct model_seat *seat = new_seat(model, peer, ask->name);
    enter(model, ask->room, peer);
    sit_down(model, socket, seat);
    introduce(model, ask->room, seat, ask->hello);
}

/* ---- coming back ---- */

static void take_seat(struct model *model, unsigned socket, struct model_seat *seat)
{
    unsigned before = seat->socket;

    if (before != NOBODY) {
        model->sockets[before].state = CLOSING;
        tell(model, before, model_text("close %u", close_code(CLOSE_REPLACED)));
    }
    seat->held_as = 0;
    sit_down(model, socket, seat);
    tell_room_joined(model, model_room_of(model, seat->peer), seat, true, false);
    for (unsigned i = 0; i < seat->kept_count; i++)
        tell(model, socket, seat->kept[i]);
    seat->kept_count = 0;
    seat->kept_size = 0;
}

static void restore_seat(struct model *model, unsigned socket, const struct ask *ask)
{
    struct model_seat *seat = new_seat(model, ask->claim->peer, ask->name);
    const struct model_room *room = &model->rooms[ask->room];

    enter(model, ask->room, seat->peer);
    seat->process = ask->claim->process;
    sit_down(model, socket, seat);
    tell_room_joined(model, ask->room, seat, true, true);
    for (unsigned i = 0; i < room->seat_count; i++) {
        const struct model_seat *other = model_seat(model, room->seats[i]);
        if (other != seat && are_strangers(seat, other) && other->socket != NOBODY)
            tell(model, other->socket, user_joined_text(seat, ask->hello));
    }
}

static bool is_usable(const struct model *model, const struct claim *claim)
{
    uint64_t age_s = model->wall_s > claim->issued_s ? model->wall_s - claim->issued_s
                                                     : claim->issued_s - model->wall_s;
    return claim->process != model->process && age_s <= LIMIT_TOKEN_AGE_MAX_S &&
           !model->gone[claim->peer] && !model->removed[claim->peer] &&
           !model->closed[claim->room] && model->limits->resume_ms;
}

static enum err resume(struct model *model, unsigned socket, const struct ask *ask)
{
    const struct claim *claim = ask->claim;

    if (model_room_of(model, claim->peer) == ask->room) {
        take_seat(model, socket, model_seat(model, claim->peer));
        return OK;
    }
    enum err err = is_usable(model, claim) ? why_not(model, ask->room) : ERR_BAD_RESUME_TOKEN;
    if (is_usable(model, claim) &&
        (model->draining || (model->cordoned && !exists(model, ask->room))))
        err = ERR_HUB_FULL;
    if (!err)
        restore_seat(model, socket, ask);
    return err;
}

static void note_forged(struct model *model, unsigned socket)
{
    if (socket != FORGER)
        return;
    if (!model->forged || model->outer_ms - model->forged_since_ms >= LIMIT_FORGED_WINDOW_MS) {
        model->forged = 0;
        model->forged_since_ms = model->outer_ms;
    }
    if (++model->forged < LIMIT_FORGED_TOKENS_MAX)
        return;
    static const uint64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 25000};
    unsigned over = model->forged - LIMIT_FORGED_TOKENS_MAX;
    model->forged_until_ms =
        model->outer_ms + (over < ARRAY_SIZE(waits_ms) ? waits_ms[over] : 25000);
}

static void come_back(struct model *model, unsigned socket, const struct ask *ask)
{
    enum err err = ERR_BAD_RESUME_TOKEN;

    bool is_forged = ask->is_corrupt || ask->claim->room != ask->room;

    if (is_forged && socket == FORGER && model->forged_until_ms > model->outer_ms) {
        tell_error(model, socket, ERR_RATE_LIMITED, 0, model->forged_until_ms - model->outer_ms);
        return;
    }
    if (is_forged)
        note_forged(model, socket);
    else
        err = resume(model, socket, ask);
    if (err)
        tell_error(model, socket, err, 0, 0);
    model->resumes += !err;
    model->resumes_refused += err != OK;
}

void model_join(struct model *model, unsigned socket, const struct ask *ask)
{
    if (model->sockets[socket].state != OPEN)
        tell_error(model, socket, ERR_ALREADY_IN_ROOM, 0, 0);
    else if (ask->claim)
        come_back(model, socket, ask);
    else
        join(model, socket, ask);
}

/* ---- at the door ---- */

static void stand_outside(struct model *model, unsigned peer)
{
    unsigned room = door_of(model, peer);
    struct model_seat *seat = model_seat(model, peer);

    model->sockets[seat->socket].state = OPEN;
    tell_knock_ended(model, room, peer);
    take_out(model->rooms[room].knocks, &model->rooms[room].knock_count, peer);
    *seat = (struct model_seat){0};
}

static void refuse(struct model *model, unsigned peer, enum err why)
{
    unsigned socket = model_seat(model, peer)->socket;

    stand_outside(model, peer);
    tell_error(model, socket, why, 0, 0);
}

static enum err admit(struct model *model, unsigned peer)
{
    unsigned room = door_of(model, peer);
    struct model_seat *seat = model_seat(model, peer);

    if (model_is_full(model, room))
        return ERR_ROOM_FULL;
    enter(model, room, peer);
    take_out(model->rooms[room].knocks, &model->rooms[room].knock_count, peer);
    tell_knock_ended(model, room, peer);
    sit_down(model, seat->socket, seat);
    seat->kept_size = 0;
    introduce(model, room, seat, seat->hello);
    return OK;
}

static void let_all_in(struct model *model, unsigned room)
{
    while (model->rooms[room].knock_count) {
        unsigned peer = model->rooms[room].knocks[0];
        enum err err = admit(model, peer);
        if (err)
            refuse(model, peer, err);
    }
}

/* The room whose member the socket is; ROOMS, and the socket is told so, when it is none. */
static unsigned my_room(struct model *model, unsigned socket)
{
    if (model->sockets[socket].state == JOINED)
        return model_room_of(model, model->sockets[socket].peer);
    tell_error(model, socket, ERR_NOT_IN_ROOM, 0, 0);
    return ROOMS;
}

void model_lock(struct model *model, unsigned socket, bool locked)
{
    unsigned room = my_room(model, socket);

    if (room == ROOMS)
        return;
    model->rooms[room].locked = locked;
    tell_room(model, room, 0,
              model_text("{\"type\":\"RoomLocked\",\"locked\":%s,\"peerId\":\"%s\"}",
                         locked ? "true" : "false", peer_id(model->sockets[socket].peer)));
    if (!locked)
        let_all_in(model, room);
}

void model_admit(struct model *model, unsigned socket, unsigned peer)
{
    unsigned room = my_room(model, socket);

    if (room == ROOMS)
        return;
    enum err err = door_of(model, peer) == room ? admit(model, peer) : ERR_UNKNOWN_PEER;
    if (err)
        tell_error(model, socket, err, peer, 0);
}

void model_deny(struct model *model, unsigned socket, unsigned peer)
{
    unsigned room = my_room(model, socket);

    if (room == ROOMS)
        return;
    if (door_of(model, peer) == room)
        refuse(model, peer, ERR_ROOM_LOCKED);
    else
        tell_error(model, socket, ERR_UNKNOWN_PEER, peer, 0);
}

/* ---- in the room ---- */

void model_kept_not(struct model *model, unsigned socket, unsigned peer)
{
    uint64_t until_ms = model_seat(model, peer)->held_since_ms + model->limits->resume_ms;

    tell_error(model, socket, ERR_RATE_LIMITED, peer,
               until_ms > model->clock_ms ? until_ms - model->clock_ms : 1);
}

void model_signal(struct model *model, unsigned socket, unsigned peer, const char *message)
{
    unsigned room = my_room(model, socket), self = model->sockets[socket].peer;

    if (room == ROOMS)
        return;
    if (peer == self || model_room_of(model, peer) != room) {
        tell_error(model, socket, ERR_UNKNOWN_PEER, peer, 0);
        return;
    }
    struct model_seat *to = model_seat(model, peer);
    const char *text = model_text("%s", relayed(self, message));
    if (to->socket != NOBODY)
        tell(model, to->socket, text);
    else if (model->draining || !keep(model, to, text))
        model_kept_not(model, socket, peer);
}

void model_ice(struct model *model, unsigned socket)
{
    static const struct bucket_rate rate = {LIMIT_ICE_PER_MINUTE, LIMIT_ICE_PER_MINUTE};
    struct bucket *bucket = &model->sockets[socket].ice;

    if (my_room(model, socket) == ROOMS)
        return;
    if (bucket_take(bucket, rate, 1, model->clock_ms))
        tell(model, socket, "{\"type\":\"IceServers\",\"iceServers\":[]}");
    else
        tell_error(model, socket, ERR_RATE_LIMITED, 0, bucket_wait_ms(bucket, rate, 1));
}

void model_nonsense(struct model *model, unsigned socket, enum err err)
{
    tell_error(model, socket, err, 0, 0);
    if (err == ERR_BAD_MESSAGE && ++model->sockets[socket].bad_messages == LIMIT_BAD_MESSAGES_MAX)
        model_close(model, socket, CLOSE_POLICY);
}

void model_no_memory(struct model *model, unsigned socket)
{
    tell_error(model, socket, ERR_NO_MEMORY, 0, 0);
    model_close(model, socket, CLOSE_OVERLOADED);
}

/* ---- leaving ---- */

static void free_seat(struct model *model, unsigned peer, const char *reason)
{
    unsigned r = model_room_of(model, peer);
    struct model_room *room = &model->rooms[r];
    struct model_seat *seat = model_seat(model, peer);

    tell_room(model, r, peer, model_text("%s", user_left(peer, reason)));
    if (seat->process)
        model->gone[peer] = true;
    *seat = (struct model_seat){0};
    take_out(room->seats, &room->seat_count, peer);
    if (room->seat_count)
        return;
    room->locked = false;
    let_all_in(model, r);
}

static void leave(struct model *model, unsigned socket, const char *reason)
{
    struct model_socket *leaver = &model->sockets[socket];

    if (leaver->state == KNOCKING)
        stand_outside(model, leaver->peer);
    else if (leaver->state == JOINED)
        free_seat(model, leaver->peer, reason);
    leaver->state = OPEN;
}

static void hold(struct model *model, unsigned socket)
{
    struct model_socket *leaver = &model->sockets[socket];

    if (leaver->state != JOINED || (!model->limits->resume_ms && !model->draining)) {
        leave(model, socket, "timeout");
        return;
    }
    struct model_seat *seat = model_seat(model, leaver->peer);
    seat->socket = NOBODY;
    seat->held_since_ms = model->clock_ms;
    seat->held_as = ++model->held_ever;
    leaver->state = OPEN;
}

void model_leave_room(struct model *model, unsigned socket)
{
    if (model->sockets[socket].state == OPEN)
        tell_error(model, socket, ERR_NOT_IN_ROOM, 0, 0);
    else
        leave(model, socket, "left");
}

void model_close(struct model *model, unsigned socket, enum close_why why)
{
    bool keeps_seat = why == CLOSE_RESTART || why == CLOSE_SILENT || why == CLOSE_OVERLOADED;

    if (keeps_seat)
        hold(model, socket);
    else
        leave(model, socket, "removed");
    tell(model, socket, model_text("close %u", close_code(why)));
    model->sockets[socket].state = CLOSING;
}

void model_closed(struct model *model, unsigned socket, enum hub_end end)
{
    if (model->sockets[socket].state == GONE)
        return;
    if (end == HUB_END_LOST)
        hold(model, socket);
    else
        leave(model, socket, end == HUB_END_GOODBYE ? "left" : "removed");
    model->sockets[socket].state = GONE;
}

/* ---- time ---- */

/* A long step was this process's own absence, which is nobody's silence: it does not count. */
void model_time(struct model *model, uint64_t now_ms)
{
    uint64_t step_ms = now_ms - model->outer_ms;

    model->clock_ms += step_ms <= LIMIT_CLOCK_STEP_MAX_MS ? step_ms : 0;
    model->outer_ms = now_ms;
}

void model_open(struct model *model, unsigned socket, conn_id id)
{
    static const struct bucket_rate ice = {LIMIT_ICE_PER_MINUTE, LIMIT_ICE_PER_MINUTE};
    struct model_socket *opened = &model->sockets[socket];

    *opened = (struct model_socket){
        .state = OPEN,
        .id = id,
        .old_id = opened->id,
        .opened_ms = model->clock_ms,
        .heard_ms = model->clock_ms,
        .leave_at_ms = model->clock_ms,
    };
    bucket_init(&opened->ice, ice, model->clock_ms);
}

void model_heard(struct model *model, unsigned socket)
{
    model->sockets[socket].heard_ms = model->clock_ms;
    model->sockets[socket].pinged = false;
}

static bool is_live(const struct model_socket *socket)
{
    return socket->state != GONE && socket->state != CLOSING;
}

/* The hub goes through its own slots: the low half of an id. CONNS when nobody live has that one. */
static unsigned live_in_slot(const struct model *model, unsigned slot)
{
    unsigned i = 0;
    while (i < CONNS && !(is_live(&model->sockets[i]) && (uint32_t)model->sockets[i].id == slot))
        i++;
    return i;
}

void model_drain(struct model *model)
{
    uint64_t count = 0, nth = 0;

    model->draining = true;
    for (unsigned i = 0; i < CONNS; i++)
        count += is_live(&model->sockets[i]);
    for (unsigned slot = 0; slot < CONNS; slot++) {
        unsigned i = live_in_slot(model, slot);
        if (i == CONNS)
            continue;
        uint64_t after_ms = nth++ * model->limits->drain_ms / count;
        model->sockets[i].leave_at_ms = model->clock_ms + after_ms;
        tell(model, i,
             model_text("{\"type\":\"Reconnect\",\"afterMs\":%llu}", (unsigned long long)after_ms));
    }
}

static void look_after(struct model *model, unsigned socket)
{
    enum { SLACK_MS = 500 };
    struct model_socket *conn = &model->sockets[socket];
    uint64_t silent_ms = model->clock_ms - conn->heard_ms;

    if (model->draining && model->clock_ms >= conn->leave_at_ms + SLACK_MS) {
        model_close(model, socket, CLOSE_RESTART);
    } else if (!conn->has_joined &&
               model->clock_ms - conn->opened_ms >= model->limits->join_deadline_ms) {
        model_close(model, socket, CLOSE_NO_JOIN);
    } else if (silent_ms >= model->limits->gone_after_ms) {
        model_close(model, socket, CLOSE_SILENT);
    } else if (silent_ms >= model->limits->ping_after_ms && !conn->pinged) {
        conn->pinged = true;
        tell(model, socket, "ping");
    }
}

/* The peer whose seat was held first, and too long; 0 for none. */
static unsigned next_expired(const struct model *model)
{
    const struct model_seat *first = NULL;

    for (unsigned i = 0; i < SEATS_MAX; i++) {
        const struct model_seat *seat = &model->seats[i];
        if (seat->peer && seat->held_as && (!first || seat->held_as < first->held_as) &&
            model->clock_ms - seat->held_since_ms >= model->limits->resume_ms)
            first = seat;
    }
    return first ? first->peer : 0;
}

void model_tick(struct model *model)
{
    unsigned peer;

    for (unsigned slot = 0; slot < CONNS; slot++) {
        unsigned i = live_in_slot(model, slot);
        if (i < CONNS)
            look_after(model, i);
    }
    while (!model->draining && (peer = next_expired(model)) != 0)
        free_seat(model, peer, "timeout");
}

/* ---- the operator ---- */

static void end_peer(struct model *model, unsigned peer)
{
    struct model_seat *seat = model_seat(model, peer);

    if (seat->socket != NOBODY) {
        tell(model, seat->socket, model_text("close %u", close_code(CLOSE_REMOVED)));
        model->sockets[seat->socket].state = CLOSING;
    }
    *seat = (struct model_seat){0};
}

bool model_close_room(struct model *model, unsigned room)
{
    struct model_room *closing = &model->rooms[room];

    if (!exists(model, room))
        return false;
    model->closed[room] = true;
    for (unsigned i = 0; i < closing->seat_count; i++)
        end_peer(model, closing->seats[i]);
    for (unsigned i = 0; i < closing->knock_count; i++)
        end_peer(model, closing->knocks[i]);
    *closing = (struct model_room){.seat_count = 0};
    return true;
}

bool model_remove_peer(struct model *model, unsigned peer)
{
    const struct model_seat *seat = model_seat(model, peer);

    if (!seat)
        return false;
    model->removed[peer] = true;
    if (seat->socket != NOBODY)
        model_close(model, seat->socket, CLOSE_REMOVED);
    else
        free_seat(model, peer, "removed");
    return true;
}
