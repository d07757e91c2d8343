/* The hub under a script of events. A script is lines; the first letter says what happens:
 *
 *   #mbj         as the first line: small rates of messages, of bytes, of joins
 *   o0           client 0 opens a WebSocket; clients 0 and 1 share an address, 2 and 3, 4 and 5
 *   r0 TEXT      the text arrives from client 0; @1 in it stands for the peerId of client 1
 *   j0 ROOM      short for a JoinRoom; the room goes into the JSON string as it is
 *   s01 JSON     short for a Signal from client 0 to client 1
 *   l0           short for a LeaveRoom
 *   h0           something else is heard of client 0
 *   c0g          client 0's WebSocket is gone: g with a goodbye, l lost, r removed by the server
 *   w1500        1500 ms go by
 *   t1500        1500 ms go by, then the hub looks after its deadlines
 *
 * Every effect is compared with a model that is made of what was sent alone: who is in which room,
 * who has to hear what of whom. What the hub says is one JSON object with the members that
 * docs/protocol.md gives its type; a Signal carries the sender's bytes to its room only; everybody
 * in a room is told of a join and of a leave exactly once; a connection that is closed hears
 * nothing more; the gauges agree after each event. */
#include "check.h"
#include "json_oracle.h"
#include "lines.h"

#include "aloha/hub.h"
#include "aloha/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 6,
    CONNECTIONS_MAX = 5, /* one client finds no place */
    ROOM_PEERS_MAX = 3,
    ROOMS_MAX = 2,
    MESSAGE_SIZE_MAX = 16 * 1024,
    EVENTS_MAX = 1000,
    START_MS = 1000000,
};

struct client {
    conn_id id; /* the last one; 0 before the first */
    bool open, closing, has_joined, pinged;
    char room[ROOM_ID_SIZE_MAX + 1]; /* empty: in none */
    char peer_id[PEER_ID_SIZE + 1];  /* the last one */
    json_t *name;                    /* as the others are told; NULL for none; owned */
    unsigned joined_as;              /* the how manieth join it was: rooms keep that order */
    uint64_t opened_ms, heard_ms;
    bool owed_join;  /* is still to hear UserJoined of the actor */
    bool heard_left; /* has heard UserLeft of `leaver` */
};

/* What is going on right now. */
struct event {
    struct client *actor; /* NULL in a tick */
    bool is_receive, is_tick;
    const char *end;             /* why the actor has gone; NULL when it has not */
    struct str text;             /* what was received */
    json_t *root;                /* its document; NULL when it is none */
    struct json_outline outline; /* its members */
    unsigned errors, signals;    /* sent to anybody */
    bool joined, made_id;
    char fresh_id[PEER_ID_SIZE + 1];
};

struct world {
    struct limits limits;
    struct metrics metrics, before;
    struct admission *admission;
    struct hub *hub;
    struct client clients[CLIENTS];
    struct event event;
    struct client *leaver; /* whom UserLeft was about, until the leaving is complete */
    char left_reason[8];
    unsigned joins, peer_ids;
    uint64_t now_ms;
    uint64_t told_ms;  /* the time that the hub was last told */
    uint64_t clock_ms; /* the time that counts for deadlines */
};

/* ---- the model ---- */

static struct client *find_client(struct world *world, conn_id id)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (world->clients[i].open && world->clients[i].id == id)
            return &world->clients[i];
    return NULL;
}

static struct client *find_peer(struct world *world, const char *peer_id)
{
    for (size_t i = 0; i < CLIENTS; i++)
        if (world->clients[i].room[0] && strcmp(world->clients[i].peer_id, peer_id) == 0)
            return &world->clients[i];
    return NULL;
}

static bool share_room(const struct client *a, const struct client *b)
{
    return a != b && a->room[0] && strcmp(a->room, b->room) == 0;
}

static unsigned count_in_room(const struct world *world, const char *room)
{
    unsigned count = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        count += world->clients[i].room[0] && strcmp(world->clients[i].room, room) == 0;
    return count;
}

static unsigned count_rooms(const struct world *world)
{
    unsigned count = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        bool first = world->clients[i].room[0] != '\0';
        for (size_t k = 0; k < i; k++)
            first = first && !share_room(&world->clients[k], &world->clients[i]);
        count += first;
    }
    return count;
}

/* The client has left: everybody else in its room has been told why, once. */
static void finish_leave(struct world *world, struct client *leaver, const char *reason)
{
    CHECK(leaver->room[0]);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *other = &world->clients[i];
        CHECK(other->heard_left == share_room(other, leaver));
        if (other->heard_left)
            CHECK(world->leaver == leaver && strcmp(world->left_reason, reason) == 0);
        other->heard_left = false;
    }
    world->leaver = NULL;
    leaver->room[0] = '\0';
    json_decref(leaver->name);
    leaver->name = NULL;
}

/* ---- what is sent ---- */

static const char *text_of(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));
    CHECK(text);
    return text;
}

/* The members of each type in docs/protocol.md, "Hub to client": needed ones, then optional ones.
 */
static const struct {
    const char *type, *members[8], *optional[3];
} shapes[] = {
    {"RoomJoined",
     {"roomId", "peerId", "resumed", "participants", "iceServers", "locked", "limits"},
     {"resumeToken"}},
    {"UserJoined", {"peerId"}, {"name", "hello"}},
    {"Signal", {"peerId", "message"}, {NULL}},
    {"UserLeft", {"peerId", "reason"}, {NULL}},
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

/* What the sender said its name is: trimmed, and none when it is empty. The caller lets go. */
static json_t *wanted_name(const struct event *event)
{
    const json_t *name = json_object_get(event->root, "name");
    struct str text = {json_string_value(name), json_string_length(name)};

    text = name ? str_trim(text) : (struct str){NULL, 0};
    struct str judged = text;
    CHECK(name_trim_and_check(&judged) && str_equal(judged, text));
    return text.size ? json_stringn(text.text, text.size) : NULL;
}

static void check_limits(const struct world *world, const json_t *limits)
{
    uint32_t heartbeat_s = world->limits.ping_after_ms / 1000;

    CHECK(json_object_size(limits) == 4);
    CHECK(json_number_value(json_object_get(limits, "maxMessageBytes")) ==
          world->limits.message_size_max);
    CHECK(json_number_value(json_object_get(limits, "maxParticipants")) == ROOM_PEERS_MAX);
    CHECK(json_number_value(json_object_get(limits, "heartbeatSeconds")) == heartbeat_s);
    CHECK(json_is_number(json_object_get(limits, "resumeSeconds")));
}

/* All who are in the room already, in the order in which they came. */
static void check_participants(struct world *world, const json_t *participants, const char *room)
{
    unsigned last = 0;
    size_t i;
    json_t *one;

    CHECK(json_is_array(participants));
    CHECK(json_array_size(participants) == count_in_room(world, room));
    json_array_foreach(participants, i, one)
    {
        const struct client *peer = find_peer(world, text_of(one, "peerId"));
        CHECK(peer && strcmp(peer->room, room) == 0 && peer->joined_as > last);
        CHECK(is_same_name(json_object_get(one, "name"), peer->name));
        CHECK(json_object_size(one) == (peer->name ? 2 : 1));
        last = peer->joined_as;
    }
}

static void on_room_joined(struct world *world, struct client *to, const json_t *root)
{
    struct event *event = &world->event;
    const char *room = text_of(root, "roomId");

    CHECK(event->is_receive && to == event->actor && !to->room[0] && event->made_id);
    CHECK(strcmp(text_of(event->root, "type"), "JoinRoom") == 0);
    CHECK(strcmp(text_of(event->root, "roomId"), room) == 0);
    CHECK(room_id_is_valid(str_of(room)));
    CHECK(strcmp(text_of(root, "peerId"), event->fresh_id) == 0);
    CHECK(json_is_false(json_object_get(root, "resumed")));
    CHECK(json_is_false(json_object_get(root, "locked")));
    CHECK(json_is_array(json_object_get(root, "iceServers")));
    check_limits(world, json_object_get(root, "limits"));
    check_participants(world, json_object_get(root, "participants"), room);
    CHECK(count_in_room(world, room) < ROOM_PEERS_MAX);

    snprintf(to->room, sizeof to->room, "%s", room);
    snprintf(to->peer_id, sizeof to->peer_id, "%s", event->fresh_id);
    to->name = wanted_name(event);
    to->joined_as = ++world->joins;
    to->has_joined = true;
    event->joined = true;
    for (size_t i = 0; i < CLIENTS; i++)
        world->clients[i].owed_join = share_room(&world->clients[i], to);
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
    struct event *event = &world->event;

    CHECK(event->joined && to->owed_join);
    CHECK(strcmp(text_of(root, "peerId"), event->actor->peer_id) == 0);
    CHECK(is_same_name(json_object_get(root, "name"), event->actor->name));
    check_relayed(event, sent, "hello");
    to->owed_join = false;
}

static void on_signal(struct world *world, struct client *to, const json_t *root,
                      const struct json_outline *sent)
{
    struct event *event = &world->event;

    CHECK(event->is_receive && share_room(event->actor, to));
    CHECK(strcmp(text_of(event->root, "type"), "Signal") == 0);
    CHECK(strcmp(text_of(event->root, "peerId"), to->peer_id) == 0);
    CHECK(strcmp(text_of(root, "peerId"), event->actor->peer_id) == 0);
    check_relayed(event, sent, "message");
    event->signals++;
}

static void on_user_left(struct world *world, struct client *to, const json_t *root)
{
    struct client *leaver = find_peer(world, text_of(root, "peerId"));

    CHECK(leaver && share_room(to, leaver) && !to->heard_left);
    CHECK(!world->leaver || world->leaver == leaver);
    CHECK(strlen(text_of(root, "reason")) < sizeof world->left_reason);
    snprintf(world->left_reason, sizeof world->left_reason, "%s", text_of(root, "reason"));
    world->leaver = leaver;
    to->heard_left = true;
}

static enum err err_of(const json_t *root)
{
    for (int i = OK + 1; i < ERR_COUNT; i++)
        if (strcmp(err_wire_name((enum err)i), text_of(root, "code")) == 0)
            return (enum err)i;
    CHECK(strcmp(text_of(root, "code"), "") == 0); /* a code that is in no table */
    return OK;
}

/* Fixed words; nothing of the sender's but a peerId that has the form of one. */
static void on_error(struct world *world, struct client *to, const json_t *root)
{
    struct event *event = &world->event;
    enum err err = err_of(root);
    const json_t *peer_id = json_object_get(root, "peerId");
    const json_t *retry = json_object_get(root, "retryAfterMs");

    CHECK(event->is_receive && to == event->actor && !event->joined);
    CHECK(strcmp(text_of(root, "message"), err_text(err)) == 0);
    CHECK((err == ERR_RATE_LIMITED) == (retry != NULL));
    CHECK(!retry || json_number_value(retry) > 0);
    if (peer_id) {
        CHECK(err == ERR_UNKNOWN_PEER && json_string_length(peer_id) == PEER_ID_SIZE);
        CHECK(strspn(json_string_value(peer_id), "0123456789abcdef-") == PEER_ID_SIZE);
        CHECK(json_equal(peer_id, json_object_get(event->root, "peerId")));
    }
    if (err == ERR_ROOM_FULL)
        CHECK(count_in_room(world, text_of(event->root, "roomId")) == ROOM_PEERS_MAX);
    if (err == ERR_HUB_FULL)
        CHECK(count_rooms(world) == ROOMS_MAX &&
              count_in_room(world, text_of(event->root, "roomId")) == 0);
    event->errors++;
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
    const char *type = text_of(root, "type");
    if (strcmp(type, "RoomJoined") == 0)
        on_room_joined(world, to, root);
    else if (strcmp(type, "UserJoined") == 0)
        on_user_joined(world, to, root, sent);
    else if (strcmp(type, "Signal") == 0)
        on_signal(world, to, root, sent);
    else if (strcmp(type, "UserLeft") == 0)
        on_user_left(world, to, root);
    else
        on_error(world, to, root);
    json_decref(root);
    free(sent);
    free((char *)text.text);
}

static uint64_t silent_ms(const struct world *world, const struct client *client)
{
    return world->clock_ms - client->heard_ms;
}

static void do_close(void *ctx, conn_id id, enum close_why why)
{
    struct world *world = ctx;
    struct client *client = find_client(world, id);

    CHECK(client && !client->closing);
    if (client->room[0])
        finish_leave(world, client, why == CLOSE_SILENT ? "timeout" : "removed");
    client->closing = true;
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
    default:
        CHECK(why == CLOSE_NONE); /* a reason that no script gives */
    }
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

/* ---- after each event ---- */

static uint64_t grown(const struct world *world, enum metric metric)
{
    return world->metrics.values[metric] - world->before.values[metric];
}

/* A message of that type was read, and no rate has stopped it. */
static bool was_taken(const struct world *world, enum message_type type)
{
    return world->metrics.messages[type] != world->before.messages[type] &&
           !grown(world, METRIC_RATE_DROPPED);
}

/* What must have happened when such a message was taken: something, and not something else. */
static void check_outcome(struct world *world)
{
    struct event *event = &world->event;
    struct client *actor = event->actor;
    unsigned answers = event->errors + event->signals + event->joined;

    CHECK(answers <= 1);
    if (!utf8_is_valid(event->text)) {
        CHECK(actor->closing && answers == 0);
        return;
    }
    if (grown(world, METRIC_RATE_DROPPED)) {
        CHECK(!event->signals && !event->joined);
        return;
    }
    if (was_taken(world, MESSAGE_LEAVE_ROOM) && actor->room[0]) {
        CHECK(answers == 0);
        finish_leave(world, actor, "left");
        return;
    }
    CHECK(answers == 1);
    if (was_taken(world, MESSAGE_SIGNAL) && event->errors && actor->room[0]) {
        const struct client *to = find_peer(world, text_of(event->root, "peerId"));
        CHECK(!to || !share_room(to, actor)); /* else it was owed the message */
    }
}

static void check_gauges(const struct world *world)
{
    unsigned open = 0, peers = 0;

    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        open += client->open;
        peers += client->room[0] != '\0';
        CHECK(!client->owed_join && !client->heard_left);
        CHECK(!client->room[0] || (client->open && !client->closing));
    }
    CHECK(world->metrics.values[METRIC_WEBSOCKETS] == open);
    CHECK(world->metrics.values[METRIC_PEERS] == peers);
    CHECK(world->metrics.values[METRIC_ROOMS] == count_rooms(world));
}

/* A long step was this process's own absence, which is nobody's silence: it does not count. */
static void tell_time(struct world *world)
{
    uint64_t step = world->now_ms - world->told_ms;

    world->clock_ms += step <= LIMIT_CLOCK_STEP_MAX_MS ? step : 0;
    world->told_ms = world->now_ms;
}

static void begin_event(struct world *world, struct client *actor)
{
    world->before = world->metrics;
    world->event = (struct event){.actor = actor};
}

static void end_event(struct world *world)
{
    json_decref(world->event.root);
    check_gauges(world);
}

/* ---- the events ---- */

static address_key address_of(const struct world *world, const struct client *client)
{
    const uint8_t address[4] = {192, 0, 2, (uint8_t)((client - world->clients) / 2)};
    return address_key_ipv4(address);
}

static void open_client(struct world *world, struct client *client)
{
    unsigned open = (unsigned)world->metrics.values[METRIC_WEBSOCKETS];

    if (client->open ||
        !admission_connect(world->admission, address_of(world, client), world->now_ms))
        return;
    begin_event(world, NULL);
    tell_time(world);
    conn_id id = hub_open(world->hub, address_of(world, client), world->now_ms);
    CHECK((id == 0) == (open == CONNECTIONS_MAX));
    if (!id) {
        admission_disconnect(world->admission, address_of(world, client), world->now_ms);
        return;
    }
    CHECK((uint32_t)id < CONNECTIONS_MAX);
    for (size_t i = 0; i < CLIENTS; i++) {
        CHECK(world->clients[i].id != id);
        CHECK(!world->clients[i].open || (uint32_t)world->clients[i].id != (uint32_t)id);
    }
    client->id = id;
    client->open = true;
    client->closing = client->has_joined = client->pinged = false;
    client->opened_ms = client->heard_ms = world->clock_ms;
    end_event(world);
}

/* Also for a client whose connection is no more: its old id must find nothing. */
static void receive(struct world *world, struct client *client, struct str text)
{
    struct event *event = &world->event;
    bool deaf = !client->open || client->closing;

    if (text.size > MESSAGE_SIZE_MAX)
        return;
    begin_event(world, client);
    event->is_receive = !deaf;
    event->text = check_copy(text);
    if (utf8_is_valid(event->text)) {
        event->root = json_oracle_parse(event->text);
        if (!json_scan_object(event->text, json_outline_add, &event->outline))
            event->outline.count = 0;
    }
    if (!deaf) {
        tell_time(world);
        client->heard_ms = world->clock_ms;
        client->pinged = false;
    }
    hub_receive(world->hub, client->id, event->text, world->now_ms);
    if (deaf)
        CHECK(memcmp(&world->before, &world->metrics, sizeof world->before) == 0);
    else
        check_outcome(world);
    free((char *)event->text.text);
    end_event(world);
}

static void heard(struct world *world, struct client *client)
{
    begin_event(world, NULL);
    tell_time(world);
    hub_heard(world->hub, client->id, world->now_ms);
    client->heard_ms = world->clock_ms;
    client->pinged = false;
    end_event(world);
}

static void closed(struct world *world, struct client *client, char how)
{
    enum hub_end end = how == 'g' ? HUB_END_GOODBYE : how == 'l' ? HUB_END_LOST : HUB_END_REMOVED;
    const char *reason = how == 'g' ? "left" : how == 'l' ? "timeout" : "removed";

    begin_event(world, NULL);
    tell_time(world);
    hub_closed(world->hub, client->id, end, world->now_ms);
    if (client->open) {
        if (client->room[0])
            finish_leave(world, client, reason);
        client->open = false;
        admission_disconnect(world->admission, address_of(world, client), world->now_ms);
    }
    end_event(world);
}

static void wait_ms(struct world *world, struct str number)
{
    uint64_t ms = 0;

    if (!str_to_uint(number, 1000000, &ms))
        return;
    world->now_ms += ms;
}

static void tick(struct world *world)
{
    begin_event(world, NULL);
    tell_time(world);
    world->event.is_tick = true;
    hub_tick(world->hub, world->now_ms);
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct client *client = &world->clients[i];
        if (!client->open || client->closing)
            continue;
        CHECK(silent_ms(world, client) < world->limits.gone_after_ms);
        CHECK(silent_ms(world, client) < world->limits.ping_after_ms || client->pinged);
        CHECK(client->has_joined ||
              world->clock_ms - client->opened_ms < world->limits.join_deadline_ms);
    }
    end_event(world);
}

/* ---- the script ---- */

/* Adds text with each @N replaced by that client's peerId, if it ever had one. */
static void add_with_peers(struct world *world, struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        const struct client *client = NULL;
        if (text.text[i] == '@' && text.size - i > 1 && text.text[i + 1] >= '0' &&
            text.text[i + 1] < '0' + CLIENTS)
            client = &world->clients[text.text[i + 1] - '0'];
        if (client && client->peer_id[0]) {
            buf_add(out, str_of(client->peer_id));
            i++;
        } else {
            buf_add(out, (struct str){&text.text[i], 1});
        }
    }
}

static void receive_line(struct world *world, struct client *from, const char *before,
                         struct str text, const char *after)
{
    struct buf whole;

    buf_init(&whole, 2 * MESSAGE_SIZE_MAX);
    add_with_peers(world, &whole, str_of(before));
    add_with_peers(world, &whole, text);
    buf_add(&whole, str_of(after));
    if (!whole.failed)
        receive(world, from, buf_str(&whole));
    buf_deinit(&whole);
}

static void run_signal(struct world *world, struct client *from, struct str rest)
{
    char before[64] = "";

    if (!rest.size)
        return;
    snprintf(before, sizeof before,
             "{\"type\":\"Signal\",\"peerId\":\"@%c\",\"message\":", rest.text[0]);
    receive_line(world, from, before, (struct str){rest.text + 1, rest.size - 1}, "}");
}

static void run_client_line(struct world *world, char what, struct client *client, struct str rest)
{
    switch (what) {
    case 'o':
        open_client(world, client);
        break;
    case 'r':
        receive_line(world, client, "", rest, "");
        break;
    case 'j':
        receive_line(world, client, "{\"type\":\"JoinRoom\",\"roomId\":\"", str_trim(rest), "\"}");
        break;
    case 's':
        run_signal(world, client, rest);
        break;
    case 'l':
        receive(world, client, STR("{\"type\":\"LeaveRoom\"}"));
        break;
    case 'h':
        heard(world, client);
        break;
    case 'c':
        closed(world, client, rest.size ? rest.text[0] : 'r');
        break;
    default:
        break;
    }
}

static void run_line(struct world *world, struct str line)
{
    if (line.size < 2)
        return;
    struct str rest = {line.text + 1, line.size - 1};
    if (line.text[0] == 'w' || line.text[0] == 't') {
        wait_ms(world, rest);
        if (line.text[0] == 't')
            tick(world);
    } else if (rest.text[0] >= '0' && rest.text[0] < '0' + CLIENTS) {
        struct client *client = &world->clients[rest.text[0] - '0'];
        run_client_line(world, line.text[0], client, (struct str){rest.text + 1, rest.size - 1});
    }
}

static bool asks_for(struct str line, char letter)
{
    return line.size && line.text[0] == '#' && memchr(line.text, letter, line.size);
}

static void start(struct world *world, struct str script)
{
    struct str options = str_cut(&script, '\n');
    const struct bucket_rate off = {0, 0};
    const struct siphash_key key = {1, 2};

    *world = (struct world){.now_ms = START_MS, .told_ms = START_MS, .clock_ms = START_MS};
    world->limits = (struct limits){
        .connections_max = CONNECTIONS_MAX,
        .connections_per_address = 2,
        .joins = asks_for(options, 'j') ? (struct bucket_rate){6, 3} : off,
        .messages = asks_for(options, 'm') ? (struct bucket_rate){120, 12} : off,
        .bytes = asks_for(options, 'b') ? (struct bucket_rate){6000, 800} : off,
        .message_size_max = MESSAGE_SIZE_MAX,
        .rooms_max = ROOMS_MAX,
        .room_peers_max = ROOM_PEERS_MAX,
        .join_deadline_ms = 10000,
        .ping_after_ms = 20000,
        .gone_after_ms = 45000,
    };
    const struct effects effects = {
        .ctx = world,
        .send = do_send,
        .close = do_close,
        .ping = do_ping,
        .make_peer_id = do_make_peer_id,
    };
    world->admission = admission_new(&world->limits, key);
    CHECK(world->admission);
    world->hub =
        hub_new(&world->limits, &effects, &world->metrics, world->admission, key, world->now_ms);
    CHECK(world->hub);
}

/* Everybody goes: nothing is left behind, and after a while nobody is remembered. */
static void finish(struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++)
        closed(world, &world->clients[i], 'g');
    CHECK(world->metrics.values[METRIC_WEBSOCKETS] == 0);
    CHECK(world->metrics.values[METRIC_PEERS] == 0 && world->metrics.values[METRIC_ROOMS] == 0);
    admission_sweep(world->admission, world->now_ms + 3600000);
    CHECK(admission_count(world->admission) == 0);
    hub_free(world->hub);
    admission_free(world->admission);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct str script = check_input(data, size), line;

    start(&world, script);
    for (unsigned i = 0; i < EVENTS_MAX && lines_take(&script, '\n', &line); i++)
        run_line(&world, line);
    finish(&world);
    return 0;
}
