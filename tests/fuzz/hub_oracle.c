#include "hub_oracle.h"

#include "check.h"

#include "aloha/name.h"
#include "aloha/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_SLACK_MS = 500 };

static struct claim claims[CLAIMS_MAX];

/* ---- the model: who is where ---- */

static struct client *find_client(struct world *world, conn_id id)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (world->clients[i].open && world->clients[i].id == id)
            return &world->clients[i];
    return NULL;
}

static struct peer *find_peer(struct world *world, const char *peer_id)
{
    for (size_t i = 0; i < PEERS_MAX; i++)
        if (world->peers[i].room[0] && strcmp(world->peers[i].id, peer_id) == 0)
            return &world->peers[i];
    return NULL;
}

static struct peer *add_peer(struct world *world, const char *peer_id, const char *room)
{
    size_t i = 0;
    while (i < PEERS_MAX && world->peers[i].room[0])
        i++;
    CHECK(i < PEERS_MAX);
    struct peer *peer = &world->peers[i];
    *peer = (struct peer){.since = ++world->joins};
    snprintf(peer->id, sizeof peer->id, "%s", peer_id);
    snprintf(peer->room, sizeof peer->room, "%s", room);
    return peer;
}

static bool is_member(const struct peer *peer, const char *room)
{
    return peer->room[0] && !peer->knocking && strcmp(peer->room, room) == 0;
}

static bool is_knocking(const struct peer *peer, const char *room)
{
    return peer->room[0] && peer->knocking && !peer->was_answered && strcmp(peer->room, room) == 0;
}

static unsigned count_members(const struct world *world, const char *room)
{
    unsigned count = 0;
    for (size_t i = 0; i < PEERS_MAX; i++)
        count += is_member(&world->peers[i], room);
    return count;
}

static unsigned count_knocks(const struct world *world, const char *room)
{
    unsigned count = 0;
    for (size_t i = 0; i < PEERS_MAX; i++)
        count += is_knocking(&world->peers[i], room);
    return count;
}

static unsigned count_rooms(const struct world *world)
{
    unsigned count = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        bool first = world->peers[i].room[0] != '\0';
        for (size_t k = 0; k < i; k++)
            first = first && strcmp(world->peers[k].room, world->peers[i].room) != 0;
        count += first;
    }
    return count;
}

static bool is_locked(const struct world *world, const char *room)
{
    for (size_t i = 0; i < ROOMS_MAX; i++)
        if (strcmp(world->locked[i], room) == 0)
            return true;
    return false;
}

static void set_locked(struct world *world, const char *room, bool locked)
{
    size_t i = 0;

    if (is_locked(world, room) == locked)
        return;
    while (i < ROOMS_MAX && strcmp(world->locked[i], locked ? "" : room) != 0)
        i++;
    CHECK(i < ROOMS_MAX);
    snprintf(world->locked[i], sizeof world->locked[i], "%s", locked ? room : "");
}

static size_t kept_size(const struct peer *peer)
{
    size_t size = peer->hello.size;
    for (unsigned i = 0; i < peer->kept_count; i++)
        size += peer->kept[i].size + sizeof(uint32_t);
    return size;
}

static size_t all_kept_size(const struct world *world)
{
    size_t size = 0;
    for (size_t i = 0; i < PEERS_MAX; i++)
        size += world->peers[i].room[0] ? kept_size(&world->peers[i]) : 0;
    return size;
}

static bool keep(struct world *world, struct peer *peer, struct str text)
{
    size_t more = text.size + sizeof(uint32_t);

    if (peer->kept_count == KEPT_MAX || kept_size(peer) + more > BACKLOG_SIZE_MAX ||
        all_kept_size(world) + more > BACKLOGS_SIZE_MAX)
        return false;
    peer->kept[peer->kept_count++] = check_copy(text);
    return true;
}

static void forget_kept(struct peer *peer)
{
    while (peer->kept_count)
        free((char *)peer->kept[--peer->kept_count].text);
}

static void forget_hello(struct peer *peer)
{
    free((char *)peer->hello.text);
    peer->hello = (struct str){NULL, 0};
}

static void remove_peer(struct world *world, struct peer *peer)
{
    for (size_t i = 0; peer->process && i < world->claim_count; i++)
        if (strcmp(claims[i].peer_id, peer->id) == 0)
            claims[i].is_gone = true;
    if (peer->client)
        peer->client->peer = NULL;
    forget_kept(peer);
    forget_hello(peer);
    json_decref(peer->name);
    char room[sizeof peer->room];
    memcpy(room, peer->room, sizeof room);
    *peer = (struct peer){.room = ""};
    if (count_members(world, room) == 0)
        set_locked(world, room, false);
}

/* ---- rounds ---- */

static void end_round(struct world *world)
{
    struct round round = world->round;

    for (size_t i = 0; i < CLIENTS; i++)
        CHECK(!world->clients[i].is_owed && !world->clients[i].owed_since);
    world->round.what = ROUND_NONE;
    if (round.what == ROUND_JOINED)
        forget_hello(round.of);
    else if (round.what == ROUND_ENDED)
        round.of->was_answered = true;
    else if (round.what == ROUND_LEFT && round.of->client)
        round.of->client->has_left = true;
    if (round.what == ROUND_LEFT)
        remove_peer(world, round.of);
}

/* All members who are there are to hear it. */
static void begin_round(struct world *world, enum what what, struct peer *of)
{
    end_round(world);
    world->round.what = what;
    world->round.of = of;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &world->peers[i];
        if (!is_member(peer, of->room) || (peer == of && what != ROUND_LOCKED))
            continue;
        bool knew = what == ROUND_JOINED && of->process && peer->process == of->process;
        if (peer->client && !knew)
            peer->client->is_owed = true;
    }
}

static void begin_knock_ended(struct world *world, struct peer *of)
{
    if (world->round.what == ROUND_ENDED && world->round.of == of)
        return;
    CHECK(of->knocking && !of->was_answered);
    begin_round(world, ROUND_ENDED, of);
}

static void take_turn(struct world *world, struct client *to, enum what what, const struct peer *of)
{
    CHECK(world->round.what == what && world->round.of == of && to->is_owed);
    to->is_owed = false;
}

/* The peer has left: everybody else in its room has been told why, once. */
static void finish_leave(struct world *world, struct peer *leaver, const char *reason)
{
    CHECK(!leaver->knocking);
    if (world->round.what != ROUND_LEFT || world->round.of != leaver) {
        begin_round(world, ROUND_LEFT, leaver);
        snprintf(world->round.reason, sizeof world->round.reason, "%s", reason);
    }
    CHECK(strcmp(world->round.reason, reason) == 0);
    end_round(world);
}

/* Whoever sat or knocked there is gone. */
void oracle_finish_client(struct world *world, struct client *client, const char *reason)
{
    struct peer *peer = client->peer;

    if (client->has_left) {
        client->has_left = false;
        CHECK(!peer);
    } else if (peer && peer->knocking) {
        if (!peer->was_answered)
            begin_knock_ended(world, peer);
        end_round(world);
        remove_peer(world, peer);
    } else if (peer) {
        finish_leave(world, peer, reason);
        client->has_left = false;
    }
}

void oracle_lose_client(struct world *world, struct client *client)
{
    struct peer *peer = client->peer;

    if (!peer || peer->knocking || (!world->limits.resume_ms && !world->draining)) {
        oracle_finish_client(world, client, "timeout");
        return;
    }
    end_round(world);
    peer->client = NULL;
    peer->held_ms = world->clock_ms;
    client->peer = NULL;
}

static bool is_due(const struct world *world, const struct peer *peer)
{
    return !peer->client && !world->draining &&
           world->clock_ms - peer->held_ms >= world->limits.resume_ms;
}

/* Those who knock are let into a room whose last member has left, and nobody was there to be told so. */
static void vacate(struct world *world, const char *room)
{
    struct event *event = &world->event;

    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &world->peers[i];
        if (!is_member(peer, room))
            continue;
        CHECK(peer == event->removed ||
              (peer->client ? event->is_tick || peer->client == event->actor
                            : event->is_tick && is_due(world, peer)));
        if (peer->client)
            peer->client->has_left = true;
        remove_peer(world, peer);
    }
}

/* ---- what is sent ---- */

static const char *text_of(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    CHECK(text);
    return text;
}

/* The members of each type in docs/protocol.md, "Hub to client": needed ones, then optional ones. */
static const struct {
    const char *type, *members[9], *optional[3];
} shapes[] = {
    {"RoomJoined",
     {"roomId", "peerId", "resumeToken", "resumed", "participants", "iceServers", "locked",
      "limits"},
     {NULL}},
    {"UserJoined", {"peerId"}, {"name", "hello"}},
    {"Signal", {"peerId", "message"}, {NULL}},
    {"UserLeft", {"peerId", "reason"}, {NULL}},
    {"RoomLocked", {"locked", "peerId"}, {NULL}},
    {"Knock", {"peerId"}, {"name"}},
    {"KnockEnded", {"peerId"}, {NULL}},
    {"Waiting", {NULL}, {NULL}},
    {"IceServers", {"iceServers"}, {NULL}},
    {"Reconnect", {"afterMs"}, {NULL}},
    {"Error", {"code", "message"}, {"peerId", "retryAfterMs"}},
};

static void check_shape(const json_t *root, size_t member_count)
{
    const char *type = text_of(root, "type");
    size_t row = 0, known = 1;

    while (row < ARRAY_SIZE(shapes) && strcmp(shapes[row].type, type) != 0)
        row++;
    CHECK(row < ARRAY_SIZE(shapes));
    for (size_t i = 0; shapes[row].members[i]; i++, known++)
        CHECK(json_object_get(root, shapes[row].members[i]));
    for (size_t i = 0; i < ARRAY_SIZE(shapes[row].optional) && shapes[row].optional[i]; i++)
        known += json_object_get(root, shapes[row].optional[i]) != NULL;
    CHECK(member_count == known && json_object_size(root) == known);
}

static bool is_same_name(const json_t *said, const json_t *name)
{
    return said ? name && json_equal(said, name) : !name;
}

/* What the sender said its name is, as names are kept, and none when it is empty. The caller lets go. */
static json_t *wanted_name(const struct event *event)
{
    const json_t *name = json_object_get(event->root, "name");
    struct str text = {json_string_value(name), json_string_length(name)};

    char normal[NAME_SIZE_MAX];

    if (!name)
        return NULL;
    CHECK(name_normalize(text, normal, &text) == OK);
    return text.size ? json_stringn(text.text, text.size) : NULL;
}

static void check_limits(const struct world *world, const json_t *limits)
{
    size_t told = 0;

    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        uint32_t scale = row->unit == UNIT_SECONDS ? 1000 : 1;
        if (!row->member[0])
            continue;
        told++;
        CHECK(json_number_value(json_object_get(limits, row->member)) ==
              limits_field(&world->limits, row) / scale);
    }
    CHECK(json_object_size(limits) == told);
}

/* All who are in the room already, in the order in which they came. */
static void check_participants(struct world *world, const json_t *participants,
                               const struct peer *self, bool restored)
{
    unsigned last = 0;
    size_t i;
    json_t *one;

    CHECK(json_is_array(participants));
    CHECK(json_array_size(participants) + 1 == count_members(world, self->room));
    json_array_foreach(participants, i, one)
    {
        const struct peer *peer = find_peer(world, text_of(one, "peerId"));
        CHECK(peer && peer != self && is_member(peer, self->room) && peer->since > last);
        bool offers = restored && peer->process != self->process;
        CHECK(is_same_name(json_object_get(one, "name"), peer->name));
        CHECK(json_is_true(json_object_get(one, "offers")) == offers);
        CHECK(json_object_size(one) == 1u + (peer->name != NULL) + offers);
        last = peer->since;
    }
}

static const struct claim *find_claim(const struct world *world, const char *text, const char *room)
{
    for (size_t i = 0; i < world->claim_count; i++)
        if (strcmp(claims[i].text, text) == 0 && strcmp(claims[i].room, room) == 0)
            return &claims[i];
    return NULL;
}

static const struct claim *note_claim(struct world *world, const char *text,
                                      const struct peer *peer)
{
    CHECK(strlen(text) == TOKEN_SIZE && world->claim_count < CLAIMS_MAX);
    struct claim *claim = &claims[world->claim_count++];
    *claim = (struct claim){.process = world->process, .issued_s = world->wall_s};
    snprintf(claim->text, sizeof claim->text, "%s", text);
    snprintf(claim->peer_id, sizeof claim->peer_id, "%s", peer->id);
    snprintf(claim->room, sizeof claim->room, "%s", peer->room);
    return claim;
}

/* The token that the actor came with; NULL for none, or one that nobody was given for that room. */
static const struct claim *claim_of(const struct world *world)
{
    const char *token = json_string_value(json_object_get(world->event.root, "resumeToken"));
    const char *room = json_string_value(json_object_get(world->event.root, "roomId"));
    return token && room ? find_claim(world, token, room) : NULL;
}

static bool is_usable(struct world *world, const struct claim *claim)
{
    uint64_t age_s = claim->issued_s > world->wall_s ? claim->issued_s - world->wall_s
                                                     : world->wall_s - claim->issued_s;
    const struct peer *peer = find_peer(world, claim->peer_id);

    if (peer && is_member(peer, claim->room))
        return true;
    return claim->process != world->process && !claim->is_gone && world->limits.resume_ms &&
           age_s <= LIMIT_TOKEN_AGE_MAX_S;
}

static bool room_exists(const struct world *world, const char *room)
{
    return count_members(world, room) + count_knocks(world, room) > 0;
}

static bool may_make_rooms(const struct world *world)
{
    return !world->draining && !world->cordoned;
}

/* The actor joins, or somebody who knocked is let in. */
static struct peer *enter_fresh(struct world *world, struct client *to, const json_t *root)
{
    struct event *event = &world->event;
    const char *peer_id = text_of(root, "peerId"), *room = text_of(root, "roomId");
    struct peer *peer = to->peer;

    if (!peer) {
        CHECK(event->is_receive && to == event->actor && event->made_id);
        CHECK(strcmp(text_of(event->root, "type"), "JoinRoom") == 0);
        CHECK(!json_object_get(event->root, "resumeToken") && !is_locked(world, room));
        CHECK(strcmp(peer_id, event->fresh_id) == 0);
        CHECK(!world->refuses_joins && (may_make_rooms(world) || room_exists(world, room)));
        peer = add_peer(world, peer_id, room);
        peer->name = wanted_name(event);
        event->answers++;
        return peer;
    }
    if (!peer->was_answered && json_array_size(json_object_get(root, "participants")) == 0)
        vacate(world, room);
    if (!peer->was_answered)
        begin_knock_ended(world, peer);
    end_round(world);
    CHECK(peer->knocking && strcmp(peer->id, peer_id) == 0);
    peer->knocking = peer->was_answered = false;
    peer->since = ++world->joins;
    return peer;
}

/* The actor has a token for that seat, which is there or was in another process. */
static struct peer *enter_again(struct world *world, struct client *to, const json_t *root)
{
    struct event *event = &world->event;
    const struct claim *claim = claim_of(world);
    struct peer *peer = find_peer(world, text_of(root, "peerId"));

    CHECK(event->is_receive && to == event->actor && !to->peer && !event->made_id);
    CHECK(claim && is_usable(world, claim));
    CHECK(strcmp(claim->peer_id, text_of(root, "peerId")) == 0);
    event->answers++;
    if (peer) {
        CHECK(!peer->client && !peer->knocking);
        event->flushed = peer;
        event->flushed_count = 0;
        return peer;
    }
    CHECK(!event->replaced && !world->draining);
    CHECK(may_make_rooms(world) || room_exists(world, claim->room));
    peer = add_peer(world, claim->peer_id, claim->room);
    peer->process = claim->process;
    peer->name = wanted_name(event);
    return peer;
}

/* The Knock that a newcomer has to hear next: the first one after the how manieth. */
static unsigned next_knock(const struct world *world, const char *room, unsigned after)
{
    unsigned next = 0;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &world->peers[i];
        if (is_knocking(peer, room) && peer->since > after && (!next || peer->since < next))
            next = peer->since;
    }
    return next;
}

static void on_room_joined(struct world *world, struct client *to, const json_t *root)
{
    const char *room = text_of(root, "roomId");
    bool resumed = json_is_true(json_object_get(root, "resumed"));

    CHECK(room_id_is_valid(str_of(room)));
    if (world->round.what != ROUND_NONE)
        end_round(world);
    struct peer *peer = resumed ? enter_again(world, to, root) : enter_fresh(world, to, root);
    bool restored = resumed && !world->event.flushed;
    peer->client = to;
    to->peer = peer;
    to->has_joined = true;
    to->claim = note_claim(world, text_of(root, "resumeToken"), peer);
    snprintf(to->peer_id, sizeof to->peer_id, "%s", peer->id);
    CHECK(strcmp(peer->room, room) == 0 && count_members(world, room) <= ROOM_PEERS_MAX);
    CHECK(json_is_true(json_object_get(root, "locked")) == is_locked(world, room));
    CHECK(json_is_array(json_object_get(root, "iceServers")));
    check_limits(world, json_object_get(root, "limits"));
    check_participants(world, json_object_get(root, "participants"), peer, restored);
    if (!world->event.flushed)
        begin_round(world, ROUND_JOINED, peer);
    to->owed_since = next_knock(world, room, 0);
}

/* The bytes of a member are those of the sender's member of that name. */
static void check_relayed(const struct event *event, const struct json_outline *sent,
                          const char *name)
{
    const struct json_member *from = json_outline_find(&event->outline, name);
    const struct json_member *there = json_outline_find(sent, name);

    CHECK((from != NULL) == (there != NULL));
    if (from)
        CHECK(str_equal(from->value, there->value));
}

static void on_user_joined(struct world *world, struct client *to, const json_t *root,
                           const struct json_outline *sent)
{
    const struct peer *of = world->round.of;
    const struct json_member *hello = json_outline_find(sent, "hello");

    take_turn(world, to, ROUND_JOINED, of);
    CHECK(strcmp(text_of(root, "peerId"), of->id) == 0);
    CHECK(is_same_name(json_object_get(root, "name"), of->name));
    if (of->client == world->event.actor) {
        check_relayed(&world->event, sent, "hello");
        return;
    }
    CHECK((hello != NULL) == (of->hello.size > 0)); /* it has knocked before */
    if (hello)
        CHECK(str_equal(hello->value, of->hello));
}

static void on_signal(struct world *world, struct client *to, const json_t *root,
                      const struct json_outline *sent)
{
    struct event *event = &world->event;
    const struct peer *from = event->actor ? event->actor->peer : NULL;

    CHECK(event->is_receive && from && to->peer && to != event->actor);
    CHECK(is_member(to->peer, from->room) && is_member(from, from->room));
    CHECK(strcmp(text_of(event->root, "type"), "Signal") == 0);
    CHECK(strcmp(text_of(event->root, "peerId"), to->peer->id) == 0);
    CHECK(strcmp(text_of(root, "peerId"), from->id) == 0);
    check_relayed(event, sent, "message");
    event->answers++;
}

static void on_user_left(struct world *world, struct client *to, const json_t *root)
{
    struct peer *leaver = find_peer(world, text_of(root, "peerId"));

    CHECK(leaver && to->peer && is_member(leaver, to->peer->room));
    if (world->round.what != ROUND_LEFT || world->round.of != leaver) {
        begin_round(world, ROUND_LEFT, leaver);
        CHECK(strlen(text_of(root, "reason")) < sizeof world->round.reason);
        snprintf(world->round.reason, sizeof world->round.reason, "%s", text_of(root, "reason"));
        if (leaver == world->event.removed)
            CHECK(strcmp(world->round.reason, "removed") == 0);
        else if (!leaver->client)
            CHECK(world->event.is_tick && is_due(world, leaver) &&
                  strcmp(world->round.reason, "timeout") == 0);
    }
    CHECK(strcmp(text_of(root, "reason"), world->round.reason) == 0);
    take_turn(world, to, ROUND_LEFT, leaver);
}

static void on_room_locked(struct world *world, struct client *to, const json_t *root)
{
    struct client *actor = world->event.actor;
    bool locked = json_is_true(json_object_get(root, "locked"));

    CHECK(world->event.is_receive && actor->peer && !actor->peer->knocking);
    CHECK(strcmp(text_of(world->event.root, "type"), "LockRoom") == 0);
    CHECK(json_is_true(json_object_get(world->event.root, "locked")) == locked);
    CHECK(strcmp(text_of(root, "peerId"), actor->peer->id) == 0);
    if (world->round.what == ROUND_NONE) {
        begin_round(world, ROUND_LOCKED, actor->peer);
        set_locked(world, actor->peer->room, locked);
    }
    world->event.answers += to == actor;
    take_turn(world, to, ROUND_LOCKED, actor->peer);
}

/* The actor knocks. */
static void on_waiting(struct world *world, struct client *to)
{
    struct event *event = &world->event;
    const struct json_member *hello = json_outline_find(&event->outline, "hello");

    CHECK(event->is_receive && to == event->actor && !to->peer && event->made_id);
    CHECK(strcmp(text_of(event->root, "type"), "JoinRoom") == 0);
    const char *room = text_of(event->root, "roomId");
    CHECK(is_locked(world, room) && !json_object_get(event->root, "resumeToken"));
    CHECK(!world->refuses_joins);
    CHECK(count_members(world, room) < ROOM_PEERS_MAX &&
          count_knocks(world, room) < ROOM_PEERS_MAX);
    struct peer *peer = add_peer(world, event->fresh_id, room);
    peer->knocking = true;
    peer->client = to;
    peer->name = wanted_name(event);
    to->peer = peer;
    to->has_joined = true;
    snprintf(to->peer_id, sizeof to->peer_id, "%s", peer->id);
    if (hello)
        peer->hello = check_copy(hello->value);
    begin_round(world, ROUND_KNOCK, peer);
    event->answers++;
}

static void on_knock(struct world *world, struct client *to, const json_t *root)
{
    const struct peer *peer = find_peer(world, text_of(root, "peerId"));

    CHECK(peer && to->peer && is_knocking(peer, to->peer->room) && !to->peer->knocking);
    CHECK(is_same_name(json_object_get(root, "name"), peer->name));
    if (!to->owed_since) {
        take_turn(world, to, ROUND_KNOCK, peer);
        return;
    }
    CHECK(peer->since == to->owed_since);
    to->owed_since = next_knock(world, peer->room, peer->since);
}

static bool is_said(const struct world *world, const char *type)
{
    const char *said = json_string_value(json_object_get(world->event.root, "type"));
    return said && strcmp(said, type) == 0;
}

static void on_knock_ended(struct world *world, struct client *to, const json_t *root)
{
    struct peer *peer = find_peer(world, text_of(root, "peerId"));

    CHECK(peer && to->peer && strcmp(peer->room, to->peer->room) == 0);
    begin_knock_ended(world, peer);
    take_turn(world, to, ROUND_ENDED, peer);
    if (to == world->event.actor && (is_said(world, "Admit") || is_said(world, "Deny"))) {
        CHECK(strcmp(text_of(world->event.root, "peerId"), peer->id) == 0);
        world->event.answers++;
    }
}

static enum err err_of(const json_t *root)
{
    for (int i = OK + 1; i < ERR_COUNT; i++)
        if (strcmp(err_wire_name((enum err)i), text_of(root, "code")) == 0)
            return (enum err)i;
    CHECK(strcmp(text_of(root, "code"), "") == 0); /* a code that is in no table */
    return OK;
}

/* It knocked, and is sent away. */
static void on_refused(struct world *world, struct client *to, enum err err)
{
    struct peer *peer = to->peer;

    begin_knock_ended(world, peer);
    end_round(world);
    CHECK(err == ERR_ROOM_LOCKED
              ? is_said(world, "Deny")
              : err == ERR_ROOM_FULL && count_members(world, peer->room) == ROOM_PEERS_MAX);
    remove_peer(world, peer);
}

/* Whether an error that the actor gets for its JoinRoom has its reason. */
static void check_join_error(struct world *world, enum err err)
{
    const char *room = text_of(world->event.root, "roomId");
    bool exists = room_exists(world, room);
    const struct claim *claim = claim_of(world);

    if (err == ERR_ROOM_FULL)
        CHECK(count_members(world, room) == ROOM_PEERS_MAX ||
              (is_locked(world, room) && count_knocks(world, room) == ROOM_PEERS_MAX));
    if (err == ERR_HUB_FULL)
        CHECK(world->refuses_joins || (!may_make_rooms(world) && !exists) ||
              (world->draining && claim) || (!exists && count_rooms(world) == ROOMS_MAX) ||
              (is_locked(world, room) && all_kept_size(world) > BACKLOGS_SIZE_MAX / 2));
    if (err == ERR_BAD_RESUME_TOKEN)
        CHECK(!claim || !is_usable(world, claim));
}

/* A Signal that cannot be kept any more: the answer is as it must be. */
static bool is_to_away(struct world *world)
{
    const struct client *actor = world->event.actor;
    const struct peer *to =
        is_said(world, "Signal") ? find_peer(world, text_of(world->event.root, "peerId")) : NULL;
    return to && actor->peer && !actor->peer->knocking && is_member(to, actor->peer->room) &&
           !to->client;
}

/* Fixed words; nothing of the sender's but a peerId that has the form of one. */
static void on_error(struct world *world, struct client *to, const json_t *root)
{
    struct event *event = &world->event;
    enum err err = err_of(root);
    const json_t *peer_id = json_object_get(root, "peerId");
    const json_t *retry = json_object_get(root, "retryAfterMs");

    CHECK(strcmp(text_of(root, "message"), err_text(err)) == 0);
    CHECK((err == ERR_RATE_LIMITED) == (retry != NULL));
    CHECK(!retry || (json_number_value(retry) > 0 && json_number_value(retry) <= 3600000));
    if (to != event->actor || !event->is_receive) {
        CHECK(to->peer && to->peer->knocking && !peer_id && !retry);
        on_refused(world, to, err);
        return;
    }
    if (peer_id) {
        CHECK(json_string_length(peer_id) == PEER_ID_SIZE);
        CHECK(strspn(json_string_value(peer_id), "0123456789abcdef-") == PEER_ID_SIZE);
        CHECK(json_equal(peer_id, json_object_get(event->root, "peerId")));
        CHECK(err == ERR_UNKNOWN_PEER || (err == ERR_ROOM_FULL && is_said(world, "Admit")) ||
              (err == ERR_RATE_LIMITED && is_to_away(world)));
    }
    if (is_said(world, "JoinRoom") && json_is_string(json_object_get(event->root, "roomId")))
        check_join_error(world, err);
    event->errors++;
    event->answers++;
}

static void on_reconnect(struct world *world, struct client *to, const json_t *root)
{
    const json_t *after = json_object_get(root, "afterMs");
    double after_ms = json_number_value(after);

    CHECK(world->event.is_drain && json_is_number(after));
    CHECK(after_ms >= 0 && after_ms <= world->limits.drain_ms);
    to->leave_at_ms = world->clock_ms + (uint64_t)after_ms;
    world->event.answers++;
}

/* ---- the effects ---- */

static struct str join_parts(const struct str *parts, size_t count)
{
    struct buf whole;

    buf_init(&whole, 1024 * 1024);
    for (size_t i = 0; i < count; i++)
        buf_add(&whole, parts[i]);
    CHECK(!whole.failed);
    struct str text = check_copy(buf_str(&whole));
    buf_deinit(&whole);
    return text;
}

static void hear(struct world *world, struct client *to, const json_t *root,
                 const struct json_outline *sent)
{
    const char *type = text_of(root, "type");

    if (strcmp(type, "RoomJoined") == 0)
        on_room_joined(world, to, root);
    else if (strcmp(type, "UserJoined") == 0)
        on_user_joined(world, to, root, sent);
    else if (strcmp(type, "Signal") == 0)
        on_signal(world, to, root, sent);
    else if (strcmp(type, "UserLeft") == 0)
        on_user_left(world, to, root);
    else if (strcmp(type, "RoomLocked") == 0)
        on_room_locked(world, to, root);
    else if (strcmp(type, "Waiting") == 0)
        on_waiting(world, to);
    else if (strcmp(type, "Knock") == 0)
        on_knock(world, to, root);
    else if (strcmp(type, "KnockEnded") == 0)
        on_knock_ended(world, to, root);
    else if (strcmp(type, "Reconnect") == 0)
        on_reconnect(world, to, root);
    else if (strcmp(type, "Error") == 0)
        on_error(world, to, root);
    else
        CHECK(to == world->event.actor && is_said(world, "RefreshIceServers") &&
              ++world->event.answers);
}

/* One who has come back hears who knocks, and then what was kept, in order, before anything else. */
static bool is_kept(struct event *event, const struct client *to, struct str text)
{
    struct peer *peer = event->flushed;

    if (!peer || peer->client != to || to->owed_since || event->flushed_count == peer->kept_count)
        return false;
    CHECK(str_equal(text, peer->kept[event->flushed_count]));
    event->flushed_count++;
    return true;
}

static void do_send(void *ctx, conn_id id, const struct str *parts, size_t count)
{
    struct world *world = ctx;
    struct client *to = find_client(world, id);
    struct str text = join_parts(parts, count);
    struct json_outline *sent = calloc(1, sizeof *sent);

    CHECK(to && !to->closing);
    CHECK(utf8_is_valid(text));
    CHECK(json_scan_object(text, json_outline_add, sent));
    json_t *root = json_oracle_parse(text);
    check_shape(root, sent->count);
    if (!is_kept(&world->event, to, text))
        hear(world, to, root, sent);
    json_decref(root);
    free(sent);
    free((char *)text.text);
}

static uint64_t silent_ms(const struct world *world, const struct client *client)
{
    return world->clock_ms - client->heard_ms;
}

static uint64_t drain_slack_ms(const struct world *world)
{
    return world->limits.drain_ms ? DRAIN_SLACK_MS : 0;
}

/* A newer connection of the same peer takes its seat. */
static void replace(struct world *world, struct client *client)
{
    const struct claim *claim = claim_of(world);
    struct peer *peer = client->peer;

    CHECK(world->event.is_receive && client != world->event.actor && is_said(world, "JoinRoom"));
    CHECK(claim && peer && is_member(peer, claim->room) && strcmp(peer->id, claim->peer_id) == 0);
    end_round(world);
    world->event.replaced = peer;
    peer->client = NULL;
    client->peer = NULL;
}

static void check_close(struct world *world, const struct client *client, enum close_why why)
{
    switch (why) {
    case CLOSE_BAD_UTF8:
        CHECK(client == world->event.actor && !utf8_is_valid(world->event.text));
        break;
    case CLOSE_POLICY:
        CHECK(world->event.is_receive && client == world->event.actor);
        break;
    case CLOSE_NO_JOIN:
        CHECK(world->event.is_tick && !client->has_joined);
        CHECK(world->clock_ms - client->opened_ms >= world->limits.join_deadline_ms);
        break;
    case CLOSE_SILENT:
        CHECK(world->event.is_tick && silent_ms(world, client) >= world->limits.gone_after_ms);
        break;
    case CLOSE_RESTART:
        CHECK(world->event.is_tick && world->draining);
        CHECK(world->clock_ms >= client->leave_at_ms + drain_slack_ms(world));
        break;
    case CLOSE_REMOVED:
        CHECK(world->event.removed || world->event.closed.size);
        CHECK(!world->event.removed || client == world->event.actor);
        break;
    default:
        CHECK(why == CLOSE_REPLACED); /* all others are reasons that no script gives */
    }
}

static bool is_of_room(const struct peer *peer, struct str room)
{
    return peer->room[0] && str_equal(str_of(peer->room), room);
}

/* Nobody is told that he left: they all go. */
static void end_with_room(struct world *world, struct client *client)
{
    CHECK(client->peer && is_of_room(client->peer, world->event.closed));
    remove_peer(world, client->peer);
}

static void do_close(void *ctx, conn_id id, enum close_why why)
{
    struct world *world = ctx;
    struct client *client = find_client(world, id);

    CHECK(client && !client->closing);
    check_close(world, client, why);
    if (why == CLOSE_REPLACED)
        replace(world, client);
    else if (world->event.closed.size)
        end_with_room(world, client);
    else if (why == CLOSE_SILENT || why == CLOSE_RESTART)
        oracle_lose_client(world, client);
    else
        oracle_finish_client(world, client, "removed");
    client->closing = true;
}

static void do_ping(void *ctx, conn_id id)
{
    struct world *world = ctx;
    struct client *client = find_client(world, id);

    CHECK(client && !client->closing && !client->pinged && world->event.is_tick);
    CHECK(silent_ms(world, client) >= world->limits.ping_after_ms);
    client->pinged = true;
}

static void do_make_peer_id(void *ctx, char out[PEER_ID_SIZE + 1])
{
    struct world *world = ctx;

    CHECK(world->event.is_receive && !world->event.made_id);
    snprintf(out, PEER_ID_SIZE + 1, "%08x-0000-4000-8000-00000000a10a", ++world->peer_ids);
    snprintf(world->event.fresh_id, sizeof world->event.fresh_id, "%s", out);
    world->event.made_id = true;
}

static uint64_t do_wall_s(void *ctx)
{
    return ((struct world *)ctx)->wall_s;
}

/* ---- after each event ---- */

static bool was_dropped(const struct world *world)
{
    return world->metrics.drops[DROP_RATE] != world->before.drops[DROP_RATE];
}

/* A message of that type was read, and no rate has stopped it. */
static bool was_taken(const struct world *world, enum message_type type)
{
    return memcmp(world->metrics.messages[type], world->before.messages[type],
                  sizeof world->before.messages[type]) != 0 &&
           !was_dropped(world);
}

/* Each message that was read is counted once, with the verdict that its sender heard. */
static void check_verdict(const struct world *world)
{
    unsigned counted = 0;

    for (unsigned kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        for (unsigned verdict = 0; verdict < VERDICT_COUNT; verdict++) {
            uint64_t before = world->before.messages[kind][verdict];
            uint64_t now = world->metrics.messages[kind][verdict];
            CHECK(now == before ||
                  (now == before + 1 && metrics_verdict_is_foreseen(kind, verdict)));
            if (now == before)
                continue;
            counted++;
            CHECK((verdict == VERDICT_DROPPED) == was_dropped(world));
            if (verdict != VERDICT_DROPPED)
                CHECK((verdict != OK) == (world->event.errors > 0));
            if (verdict != VERDICT_DROPPED && verdict != OK)
                CHECK(world->metrics.errors[verdict] > world->before.errors[verdict]);
        }
    }
    CHECK(counted == (utf8_is_valid(world->event.text) ? 1 : 0));
}

/* A Signal to one who is away is kept, or else its sender is told. */
static void check_kept(struct world *world)
{
    struct event *event = &world->event;
    struct peer *to = find_peer(world, text_of(event->root, "peerId"));
    const struct json_member *message = json_outline_find(&event->outline, "message");
    struct buf text;

    buf_init(&text, MESSAGE_SIZE_MAX * 2);
    buf_add_format(&text,
                   "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":", event->actor->peer->id);
    buf_add(&text, message->value);
    buf_add(&text, STR("}"));
    CHECK((!world->draining && keep(world, to, buf_str(&text))) == (event->errors == 0));
    event->answers += event->errors == 0;
    buf_deinit(&text);
}

/* What must have happened when such a message was taken: something, and not something else. */
void oracle_check_outcome(struct world *world)
{
    struct event *event = &world->event;
    struct client *actor = event->actor;

    if (!utf8_is_valid(event->text)) {
        CHECK(actor->closing && event->answers == 0);
        return;
    }
    check_verdict(world);
    if (was_dropped(world)) {
        CHECK(event->answers == event->errors && event->errors <= 1);
        return;
    }
    if (was_taken(world, MESSAGE_LEAVE_ROOM) && !event->errors) {
        CHECK(event->answers == 0 && (actor->peer || actor->has_left));
        oracle_finish_client(world, actor, "left");
        return;
    }
    if (was_taken(world, MESSAGE_SIGNAL) && is_to_away(world))
        check_kept(world);
    CHECK(event->answers == 1);
    if (was_taken(world, MESSAGE_SIGNAL) && event->errors && actor->peer && !is_to_away(world)) {
        const struct peer *to = find_peer(world, text_of(event->root, "peerId"));
        CHECK(!to || to == actor->peer || actor->peer->knocking ||
              !is_member(to, actor->peer->room)); /* else it was owed the message */
    }
}

/* Whoever was answered at the door is in by now, or away from it. */
static void check_doors(const struct world *world)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &world->peers[i];
        if (!peer->room[0])
            continue;
        CHECK(!peer->was_answered);
        CHECK(!peer->knocking || (is_locked(world, peer->room) && peer->client));
        CHECK(!peer->client || (peer->client->peer == peer && peer->client->open));
        CHECK(count_members(world, peer->room) > 0);
    }
}

static void check_gauges(const struct world *world)
{
    const uint64_t *values = world->metrics.values;
    unsigned open = 0, peers = 0, held = 0, knocks = 0;

    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        open += client->open;
        CHECK(!client->has_left && (!client->peer || (client->open && !client->closing)));
    }
    for (size_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &world->peers[i];
        peers += peer->room[0] && !peer->knocking;
        knocks += peer->room[0] && peer->knocking;
        held += peer->room[0] && !peer->client;
    }
    CHECK(values[METRIC_WEBSOCKETS] == open && values[METRIC_PEERS] == peers);
    CHECK(values[METRIC_SEATS_HELD] == held && values[METRIC_KNOCKS] == knocks);
    CHECK(values[METRIC_ROOMS] == count_rooms(world));
    CHECK(values[METRIC_BACKLOG_BYTES] == all_kept_size(world));
}

/* A long step was this process's own absence, which is nobody's silence: it does not count. */
void oracle_tell_time(struct world *world)
{
    uint64_t step = world->now_ms - world->told_ms;

    world->clock_ms += step <= LIMIT_CLOCK_STEP_MAX_MS ? step : 0;
    world->told_ms = world->now_ms;
}

void oracle_begin_event(struct world *world, struct client *actor)
{
    world->before = world->metrics;
    world->event = (struct event){.actor = actor};
}

static void forget_delivered(struct event *event)
{
    if (!event->flushed)
        return;
    CHECK(event->flushed_count == event->flushed->kept_count);
    forget_kept(event->flushed);
}

void oracle_end_event(struct world *world)
{
    end_round(world);
    forget_delivered(&world->event);
    json_decref(world->event.root);
    check_doors(world);
    check_gauges(world);
}

/* Held seats whose time is over, in rooms where nobody was left to be told. */
static void expire_unseen(struct world *world)
{
    end_round(world);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &world->peers[i];
        if (!peer->room[0] || peer->knocking || !is_due(world, peer))
            continue;
        for (size_t k = 0; k < PEERS_MAX; k++)
            CHECK(!is_member(&world->peers[k], peer->room) || !world->peers[k].client);
        remove_peer(world, peer);
    }
}

static void check_deadlines(const struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        if (!client->open || client->closing)
            continue;
        CHECK(silent_ms(world, client) < world->limits.gone_after_ms);
        CHECK(silent_ms(world, client) < world->limits.ping_after_ms || client->pinged);
        CHECK(client->has_joined ||
              world->clock_ms - client->opened_ms < world->limits.join_deadline_ms);
        CHECK(!world->draining || world->clock_ms < client->leave_at_ms + drain_slack_ms(world));
    }
}

void oracle_check_tick(struct world *world)
{
    expire_unseen(world);
    check_deadlines(world);
}

struct peer *oracle_begin_removal(struct world *world, const char *peer_id)
{
    struct peer *peer = peer_id[0] ? find_peer(world, peer_id) : NULL;

    oracle_begin_event(world, peer ? peer->client : NULL);
    world->event.removed = peer;
    return peer;
}

/* His connection was closed; or he was away, and those who are there have been told. */
void oracle_end_removal(struct world *world, struct peer *removed)
{
    struct client *client = world->event.actor;

    CHECK(!client || (client->closing && !client->peer));
    if (removed && removed->room[0])
        finish_leave(world, removed, "removed");
    oracle_end_event(world);
}

bool oracle_begin_closing(struct world *world, struct str room)
{
    bool exists = false;

    oracle_begin_event(world, NULL);
    for (size_t i = 0; i < PEERS_MAX; i++)
        exists = exists || is_of_room(&world->peers[i], room);
    if (exists)
        world->event.closed = room;
    return exists;
}

/* Those who were connected have been closed; tokens from another process are worth nothing now, whether or
 * not their owners have been seen in this one. */
void oracle_end_closing(struct world *world)
{
    struct str room = world->event.closed;

    for (size_t i = 0; room.size && i < PEERS_MAX; i++) {
        if (!is_of_room(&world->peers[i], room))
            continue;
        CHECK(!world->peers[i].client);
        remove_peer(world, &world->peers[i]);
    }
    for (size_t i = 0; room.size && i < world->claim_count; i++)
        if (str_equal(str_of(claims[i].room), room))
            claims[i].is_gone = true;
    oracle_end_event(world);
}

void oracle_end_process(struct world *world)
{
    for (size_t i = 0; i < PEERS_MAX; i++) {
        world->peers[i].process = 0;
        if (world->peers[i].room[0])
            remove_peer(world, &world->peers[i]);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        world->clients[i].open = world->clients[i].closing = false;
        world->clients[i].id = 0;
    }
    for (size_t i = 0; i < world->claim_count; i++)
        claims[i].is_gone = false;
    world->draining = world->refuses_joins = world->cordoned = false;
}

struct effects oracle_effects(struct world *world)
{
    return (struct effects){
        .ctx = world,
        .send = do_send,
        .close = do_close,
        .ping = do_ping,
        .make_peer_id = do_make_peer_id,
        .wall_s = do_wall_s,
    };
}
