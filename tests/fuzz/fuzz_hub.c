/* The hub under a script of events. A script is lines; the first letter says what happens:
 *
 *   #mbjrd       as the first line: small rates of messages, of bytes, of joins; no seat is held; no grace
 *   o0           client 0 opens a WebSocket; clients 0 and 1 share an address, 2 and 3, 4 and 5
 *   r0 TEXT      the text arrives from client 0; @1 in it stands for the peerId of client 1, $1 for the
 *                last resume token of client 1
 *   j0 ROOM      short for a JoinRoom; the room goes into the JSON string as it is
 *   b01 ROOM     the same with the token of client 1: client 0 comes back as that one
 *   s01 JSON     short for a Signal from client 0 to client 1
 *   l0           short for a LeaveRoom
 *   k0+          short for a LockRoom; k0- unlocks
 *   a01 d01      short for Admit and Deny of client 1
 *   i0           short for RefreshIceServers
 *   h0           something else is heard of client 0
 *   c0g          client 0's WebSocket is gone: g with a goodbye, l lost, r removed by the server
 *   w1500        1500 ms go by
 *   t1500        1500 ms go by, then the hub looks after its deadlines
 *   y86400       the wall clock goes on by that many seconds
 *   D            the hub drains;  f+ f-  it refuses joins, or no longer
 *   x0           the operator removes the last peer that client 0 was;  z ROOM  closes a room
 *   q+ q-        the operator draws a cordon, or takes it away
 *   n            this process is gone, and the next one begins with the same key
 *
 * Every effect is compared with a model that is made of what was sent alone: who sits where, who is away,
 * who knocks, what was kept for whom, who was given which token. What the hub says is one JSON object
 * with the members that docs/protocol.md gives its type; a Signal carries the sender's bytes to its room
 * only, also to those who come back later, in order; what a room is told, each member who is there is
 * told exactly once; a token opens the seat that it was given out for and no other; a connection that is
 * closed hears nothing more; the gauges agree after each event. */
#include "check.h"
#include "hub_oracle.h"
#include "lines.h"

#include "aloha/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    oracle_begin_event(world, NULL);
    oracle_tell_time(world);
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
    client->opened_ms = client->heard_ms = client->leave_at_ms = world->clock_ms;
    oracle_end_event(world);
}

/* Also for a client whose connection is no more: its old id must find nothing. */
static void receive(struct world *world, struct client *client, struct str text)
{
    struct event *event = &world->event;
    bool deaf = !client->open || client->closing;

    if (text.size > MESSAGE_SIZE_MAX)
        return;
    oracle_begin_event(world, client);
    event->is_receive = !deaf;
    event->text = check_copy(text);
    if (utf8_is_valid(event->text)) {
        event->root = json_oracle_parse(event->text);
        if (!json_scan_object(event->text, json_outline_add, &event->outline))
            event->outline.count = 0;
    }
    if (!deaf) {
        oracle_tell_time(world);
        client->heard_ms = world->clock_ms;
        client->pinged = false;
    }
    hub_receive(world->hub, client->id, event->text, world->now_ms);
    if (deaf)
        CHECK(memcmp(&world->before, &world->metrics, sizeof world->before) == 0);
    else
        oracle_check_outcome(world);
    free((char *)event->text.text);
    oracle_end_event(world);
}

static void heard(struct world *world, struct client *client)
{
    oracle_begin_event(world, NULL);
    oracle_tell_time(world);
    hub_heard(world->hub, client->id, world->now_ms);
    client->heard_ms = world->clock_ms;
    client->pinged = false;
    oracle_end_event(world);
}

static void closed(struct world *world, struct client *client, char how)
{
    enum hub_end end = how == 'g' ? HUB_END_GOODBYE : how == 'l' ? HUB_END_LOST : HUB_END_REMOVED;

    oracle_begin_event(world, client);
    oracle_tell_time(world);
    hub_closed(world->hub, client->id, end, world->now_ms);
    if (client->open) {
        if (end == HUB_END_LOST)
            oracle_lose_client(world, client);
        else
            oracle_finish_client(world, client, end == HUB_END_GOODBYE ? "left" : "removed");
        client->open = false;
        admission_disconnect(world->admission, address_of(world, client), world->now_ms);
    }
    oracle_end_event(world);
}

static void tick(struct world *world)
{
    oracle_begin_event(world, NULL);
    oracle_tell_time(world);
    world->event.is_tick = true;
    hub_tick(world->hub, world->now_ms);
    oracle_check_tick(world);
    oracle_end_event(world);
}

static void drain(struct world *world)
{
    unsigned live = 0;

    oracle_begin_event(world, NULL);
    oracle_tell_time(world);
    world->event.is_drain = true;
    world->draining = true;
    for (size_t i = 0; i < CLIENTS; i++)
        live += world->clients[i].open && !world->clients[i].closing;
    hub_drain(world->hub, world->now_ms);
    CHECK(world->event.answers == live);
    oracle_end_event(world);
}

/* ---- the operator ---- */

static void remove_peer(struct world *world, struct client *client)
{
    struct peer *peer = oracle_begin_removal(world, client->peer_id);

    oracle_tell_time(world);
    CHECK(hub_remove_peer(world->hub, str_of(client->peer_id), world->now_ms) == (peer != NULL));
    oracle_end_removal(world, peer);
}

static void close_room(struct world *world, struct str room)
{
    struct str own = check_copy(room);
    bool exists = oracle_begin_closing(world, own);

    oracle_tell_time(world);
    CHECK(hub_close_room(world->hub, own, world->now_ms) == exists);
    oracle_end_closing(world);
    free((char *)own.text);
}

static void set_cordon(struct world *world, bool on)
{
    world->cordoned = on;
    hub_set_cordon(world->hub, on);
    CHECK(hub_is_cordoned(world->hub) == on);
}

/* ---- processes ---- */

static void start_process(struct world *world)
{
    const struct siphash_key key = {1, 2};
    const struct effects effects = oracle_effects(world);
    world->process++;
    world->metrics = (struct metrics){.values = {0}};
    world->admission = admission_new(&world->limits, key);
    const struct hub_options options = {
        .limits = &world->limits,
        .metrics = &world->metrics,
        .admission = world->admission,
        .key = key,
        .token_key = {"the same for all processes"},
        .process = world->process,
    };
    world->hub = hub_new(&options, &effects, world->now_ms);
    CHECK(world->admission && world->hub);
}

static void end_process(struct world *world)
{
    hub_free(world->hub);
    admission_free(world->admission);
    oracle_end_process(world);
}

/* ---- the script ---- */

static bool is_client(char digit)
{
    return digit >= '0' && digit < '0' + CLIENTS;
}

/* What @N and $N stand for; NULL when that client never had one. */
static const char *text_for(const struct world *world, char what, char digit)
{
    if (!is_client(digit))
        return NULL;
    const struct client *client = &world->clients[digit - '0'];
    if (what == '@')
        return client->peer_id[0] ? client->peer_id : NULL;
    return what == '$' && client->claim ? client->claim->text : NULL;
}

static void add_with_peers(struct world *world, struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        const char *instead =
            i + 1 < text.size ? text_for(world, text.text[i], text.text[i + 1]) : NULL;
        if (instead)
            buf_add(out, str_of(instead));
        else
            buf_add(out, (struct str){&text.text[i], 1});
        i += instead != NULL;
    }
}

static void receive_line(struct world *world, struct client *from, const char *before,
                         struct str text, const char *after)
{
    struct buf whole;

    buf_init(&whole, 2 * MESSAGE_SIZE_MAX);
    add_with_peers(world, &whole, str_of(before));
    add_with_peers(world, &whole, text);
    add_with_peers(world, &whole, str_of(after));
    if (!whole.failed)
        receive(world, from, buf_str(&whole));
    buf_deinit(&whole);
}

/* Comes to a room with the last token of the client that the rest begins with. */
static void run_back(struct world *world, struct client *from, struct str rest)
{
    char after[32];

    if (!rest.size)
        return;
    snprintf(after, sizeof after, "\",\"resumeToken\":\"$%c\"}", rest.text[0]);
    receive_line(world, from, "{\"type\":\"JoinRoom\",\"roomId\":\"",
                 str_trim((struct str){rest.text + 1, rest.size - 1}), after);
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

static void run_lock(struct world *world, struct client *client, struct str rest)
{
    bool locked = rest.size && rest.text[0] == '+';
    receive(world, client,
            locked ? STR("{\"type\":\"LockRoom\",\"locked\":true}")
                   : STR("{\"type\":\"LockRoom\",\"locked\":false}"));
}

static void run_door(struct world *world, struct client *client, const char *type, struct str rest)
{
    char text[64];

    if (!rest.size)
        return;
    snprintf(text, sizeof text, "{\"type\":\"%s\",\"peerId\":\"@%c\"}", type, rest.text[0]);
    receive_line(world, client, text, (struct str){NULL, 0}, "");
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
    case 'b':
        run_back(world, client, rest);
        break;
    case 's':
        run_signal(world, client, rest);
        break;
    case 'l':
        receive(world, client, STR("{\"type\":\"LeaveRoom\"}"));
        break;
    case 'k':
        run_lock(world, client, rest);
        break;
    case 'a':
        run_door(world, client, "Admit", rest);
        break;
    case 'd':
        run_door(world, client, "Deny", rest);
        break;
    case 'i':
        receive(world, client, STR("{\"type\":\"RefreshIceServers\"}"));
        break;
    case 'h':
        heard(world, client);
        break;
    case 'x':
        remove_peer(world, client);
        break;
    case 'c':
        closed(world, client, rest.size ? rest.text[0] : 'r');
        break;
    default:
        break;
    }
}

static void run_world_line(struct world *world, char what, struct str rest)
{
    uint64_t number = 0;
    bool is_number = str_to_uint(rest, 1000000, &number);

    if (what == 'n') {
        end_process(world);
        start_process(world);
    } else if (what == 'D') {
        drain(world);
    } else if (what == 'f') {
        world->refuses_joins = str_equal(rest, STR("+"));
        hub_refuse_joins(world->hub, world->refuses_joins);
    } else if (what == 'z') {
        close_room(world, str_trim(rest));
    } else if (what == 'q') {
        set_cordon(world, str_equal(rest, STR("+")));
    } else if (what == 'y' && is_number) {
        world->wall_s += number;
    } else if ((what == 'w' || what == 't') && is_number) {
        world->now_ms += number;
    }
    if (what == 't')
        tick(world);
}

static void run_line(struct world *world, struct str line)
{
    if (line.size == 0)
        return;
    struct str rest = {line.text + 1, line.size - 1};
    if (!memchr("nDfywtzq", line.text[0], 8) && rest.size && is_client(rest.text[0]))
        run_client_line(world, line.text[0], &world->clients[rest.text[0] - '0'],
                        (struct str){rest.text + 1, rest.size - 1});
    else
        run_world_line(world, line.text[0], rest);
}

static bool asks_for(struct str line, char letter)
{
    return line.size && line.text[0] == '#' && memchr(line.text, letter, line.size);
}

static void start(struct world *world, struct str script)
{
    struct str options = str_cut(&script, '\n');
    const struct bucket_rate off = {0, 0};

    *world = (struct world){.now_ms = START_MS, .told_ms = START_MS, .clock_ms = START_MS};
    world->wall_s = START_S;
    limits_init(&world->limits);
    world->limits.connections_max = CONNECTIONS_MAX;
    world->limits.connections_per_address = 2;
    world->limits.connections = off;
    world->limits.joins = asks_for(options, 'j') ? (struct bucket_rate){6, 3} : off;
    world->limits.messages = asks_for(options, 'm') ? (struct bucket_rate){120, 12} : off;
    world->limits.bytes = asks_for(options, 'b') ? (struct bucket_rate){6000, 800} : off;
    world->limits.message_size_max = MESSAGE_SIZE_MAX;
    world->limits.rooms_max = ROOMS_MAX;
    world->limits.room_peers_max = ROOM_PEERS_MAX;
    world->limits.resume_ms = asks_for(options, 'r') ? 0 : 6000;
    world->limits.backlog_messages_max = KEPT_MAX;
    world->limits.backlog_size_max = BACKLOG_SIZE_MAX;
    world->limits.backlogs_size_max = BACKLOGS_SIZE_MAX;
    world->limits.drain_ms = asks_for(options, 'd') ? 0 : 3000;
    start_process(world);
}

/* Nothing is left behind, and later nobody is remembered. */
static void check_empty(const struct world *world)
{
    CHECK(world->metrics.values[METRIC_WEBSOCKETS] == 0);
    CHECK(world->metrics.values[METRIC_PEERS] == 0 && world->metrics.values[METRIC_ROOMS] == 0);
    CHECK(world->metrics.values[METRIC_BACKLOG_BYTES] == 0);
    admission_sweep(world->admission, world->now_ms + 3600000);
    CHECK(admission_count(world->admission) == 0);
}

/* Everybody goes, and after a while the seats of those who were away; but for a hub that drains, which
 * ends with them. */
static void finish(struct world *world)
{
    for (size_t i = 0; i < CLIENTS; i++)
        closed(world, &world->clients[i], 'g');
    for (unsigned ms = 0; ms <= world->limits.resume_ms; ms += LIMIT_CLOCK_STEP_MAX_MS) {
        world->now_ms += LIMIT_CLOCK_STEP_MAX_MS;
        tick(world);
    }
    if (!world->draining)
        check_empty(world);
    end_process(world);
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
