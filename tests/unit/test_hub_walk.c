/* hub: random walks beside a model so simple that it is plainly right. After each step everybody
 * has heard exactly what the model says, nobody else has heard anything, and the gauges agree. The
 * seeds are fixed: a walk that fails fails again. */
#include "world.h"

#include <stdio.h>

enum {
    WALKS = 300,
    STEPS = 400,
    CONNS = 8,
    ROOMS = 4,
    ROOMS_MAX = 3,
    ROOM_PEERS_MAX = 3,
    PEERS_BACK = 6, /* how far back in time a Signal looks for a peer to be sent to */
};

static const char *const room_names[ROOMS] = {"tea", "coffee", "a.b", "~"};

struct model_conn {
    enum { GONE, OPEN, JOINED, CLOSING } state;
    conn_id id, old_id; /* old_id: of the connection that was here before */
    unsigned room, peer, bad_messages;
    uint64_t opened_ms, heard_ms;
    bool pinged, has_joined;
};

struct model_room {
    unsigned members[ROOM_PEERS_MAX]; /* indices of conns, in the order of joining */
    unsigned count;
};

struct walk {
    struct world *world;
    struct dice dice;
    struct model_conn conns[CONNS];
    struct model_room rooms[ROOMS];
    unsigned peers_made, messages_sent;
};

static void hears(struct walk *walk, unsigned conn, const char *text)
{
    EXPECT_STR(text, world_take(walk->world, walk->conns[conn].id));
}

/* ---- the model ---- */

static unsigned rooms_in_use(const struct walk *walk)
{
    unsigned count = 0;
    for (unsigned r = 0; r < ROOMS; r++)
        count += walk->rooms[r].count > 0;
    return count;
}

static void model_leave(struct walk *walk, unsigned conn, const char *reason)
{
    struct model_conn *leaver = &walk->conns[conn];
    struct model_room *room = &walk->rooms[leaver->room];
    unsigned kept = 0;

    if (leaver->state != JOINED)
        return;
    for (unsigned i = 0; i < room->count; i++) {
        if (room->members[i] == conn)
            continue;
        hears(walk, room->members[i], user_left(leaver->peer, reason));
        room->members[kept++] = room->members[i];
    }
    room->count = kept;
    leaver->state = OPEN;
}

static void model_close(struct walk *walk, unsigned conn, enum close_why why, const char *reason)
{
    model_leave(walk, conn, reason);
    hears(walk, conn, fmt("close %u", close_code(why)));
    walk->conns[conn].state = CLOSING;
}

static void model_join(struct walk *walk, unsigned conn, unsigned r)
{
    struct model_conn *newcomer = &walk->conns[conn];
    struct model_room *room = &walk->rooms[r];
    char others[512] = "";

    if (newcomer->state == JOINED) {
        hears(walk, conn, error_of(ERR_ALREADY_IN_ROOM));
        return;
    }
    walk->peers_made++; /* an id that is not used is not used again either */
    if (room->count == ROOM_PEERS_MAX) {
        hears(walk, conn, error_of(ERR_ROOM_FULL));
        return;
    }
    if (room->count == 0 && rooms_in_use(walk) == ROOMS_MAX) {
        hears(walk, conn, error_of(ERR_HUB_FULL));
        return;
    }
    for (unsigned i = 0; i < room->count; i++) {
        hears(walk, room->members[i], user_joined(walk->peers_made));
        sprintf(others + strlen(others), "%s%s", i ? "," : "",
                participant(walk->conns[room->members[i]].peer));
    }
    struct str heard = world_take(walk->world, newcomer->id);
    const char *wanted = fmt("{\"type\":\"RoomJoined\",\"roomId\":\"%s\",\"peerId\":\"%s\","
                             "\"resumed\":false,\"participants\":[%s],",
                             room_names[r], peer_id(walk->peers_made), others);
    EXPECT_THAT(str_starts_with(heard, str_of(wanted)), "wanted %s, got %.*s", wanted,
                (int)heard.size, heard.text);
    room->members[room->count++] = conn;
    newcomer->state = JOINED;
    newcomer->has_joined = true;
    newcomer->room = r;
    newcomer->peer = walk->peers_made;
}

static void model_signal(struct walk *walk, unsigned conn, unsigned peer, const char *message)
{
    const struct model_conn *sender = &walk->conns[conn];

    if (sender->state != JOINED) {
        hears(walk, conn, error_of(ERR_NOT_IN_ROOM));
        return;
    }
    for (unsigned i = 0; i < walk->rooms[sender->room].count; i++) {
        unsigned member = walk->rooms[sender->room].members[i];
        if (member != conn && walk->conns[member].peer == peer) {
            hears(walk, member, relayed(sender->peer, message));
            return;
        }
    }
    hears(walk, conn,
          fmt("{\"type\":\"Error\",\"code\":\"unknown-peer\",\"message\":\"%s\",\"peerId\":\"%s\"}",
              err_text(ERR_UNKNOWN_PEER), peer_id(peer)));
}

static void model_tick(struct walk *walk)
{
    uint64_t now_ms = walk->world->now_ms;

    for (unsigned i = 0; i < CONNS; i++) {
        struct model_conn *conn = &walk->conns[i];
        if (conn->state != OPEN && conn->state != JOINED)
            continue;
        if (!conn->has_joined && now_ms - conn->opened_ms >= 10000) {
            model_close(walk, i, CLOSE_NO_JOIN, "removed");
        } else if (now_ms - conn->heard_ms >= 45000) {
            model_close(walk, i, CLOSE_SILENT, "timeout");
        } else if (now_ms - conn->heard_ms >= 20000 && !conn->pinged) {
            conn->pinged = true;
            hears(walk, i, "ping");
        }
    }
}

/* ---- the steps: what is done to the hub, and to the model ---- */

/* The connection says something. False when the hub must not listen. */
static bool says(struct walk *walk, unsigned conn, const char *text)
{
    struct model_conn *speaker = &walk->conns[conn];

    world_say(walk->world, speaker->id, "%s", text);
    if (speaker->state == GONE || speaker->state == CLOSING)
        return false;
    speaker->heard_ms = walk->world->now_ms;
    speaker->pinged = false;
    return true;
}

static void step_open(struct walk *walk, unsigned conn)
{
    struct model_conn *opened = &walk->conns[conn];

    if (opened->state != GONE)
        return;
    conn_id id = world_open(walk->world);
    EXPECT(id != 0 && id != opened->id);
    *opened = (struct model_conn){
        .state = OPEN,
        .id = id,
        .old_id = opened->id,
        .opened_ms = walk->world->now_ms,
        .heard_ms = walk->world->now_ms,
    };
}

static void step_join(struct walk *walk, unsigned conn)
{
    unsigned r = dice_below(&walk->dice, ROOMS);

    if (says(walk, conn, fmt("{\"type\":\"JoinRoom\",\"roomId\":\"%s\"}", room_names[r])))
        model_join(walk, conn, r);
}

static void step_signal(struct walk *walk, unsigned conn)
{
    unsigned back = dice_below(&walk->dice, PEERS_BACK);
    unsigned peer = walk->peers_made > back ? walk->peers_made - back : 0;
    const char *message = fmt("[ %u ]", ++walk->messages_sent);

    if (says(walk, conn,
             fmt("{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%s}", peer_id(peer), message)))
        model_signal(walk, conn, peer, message);
}

static void step_leave(struct walk *walk, unsigned conn)
{
    bool joined = walk->conns[conn].state == JOINED;

    if (!says(walk, conn, "{\"type\":\"LeaveRoom\"}"))
        return;
    if (joined)
        model_leave(walk, conn, "left");
    else
        hears(walk, conn, error_of(ERR_NOT_IN_ROOM));
}

static void step_nonsense(struct walk *walk, unsigned conn)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"type\":7}",
                                      "{\"type\":\"JoinRoom\"}",
                                      "{\"type\":\"Signal\",\"peerId\":\"x\"}"};

    if (!says(walk, conn, bad[dice_below(&walk->dice, ARRAY_SIZE(bad))]))
        return;
    hears(walk, conn, error_of(ERR_BAD_MESSAGE));
    if (++walk->conns[conn].bad_messages == 10)
        model_close(walk, conn, CLOSE_POLICY, "removed");
}

static void step_unknown(struct walk *walk, unsigned conn)
{
    if (says(walk, conn, "{\"type\":\"Dance\"}"))
        hears(walk, conn, error_of(ERR_UNKNOWN_TYPE));
}

static void step_bad_utf8(struct walk *walk, unsigned conn)
{
    if (dice_below(&walk->dice, 4) == 0 && says(walk, conn, "\xc0\xaf"))
        model_close(walk, conn, CLOSE_BAD_UTF8, "removed");
}

static void step_hear(struct walk *walk, unsigned conn)
{
    hub_heard(walk->world->hub, walk->conns[conn].id, walk->world->now_ms);
    walk->conns[conn].heard_ms = walk->world->now_ms;
    walk->conns[conn].pinged = false;
}

static void step_close(struct walk *walk, unsigned conn)
{
    static const char *const reasons[] = {"left", "timeout", "removed"};
    unsigned end = dice_below(&walk->dice, 3);

    hub_closed(walk->world->hub, walk->conns[conn].id, (enum hub_end)end, walk->world->now_ms);
    model_leave(walk, conn, reasons[end]);
    walk->conns[conn].state = GONE;
}

/* Something comes late from a connection that is no more. */
static void step_late(struct walk *walk, unsigned conn)
{
    struct world *world = walk->world;

    world_say(world, walk->conns[conn].old_id, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}");
    hub_heard(world->hub, walk->conns[conn].old_id, world->now_ms);
    hub_closed(world->hub, walk->conns[conn].old_id, HUB_END_LOST, world->now_ms);
}

static void step_tick(struct walk *walk, unsigned conn)
{
    (void)conn;
    walk->world->now_ms += 1000;
    hub_tick(walk->world->hub, walk->world->now_ms);
    model_tick(walk);
}

static const struct {
    void (*take)(struct walk *walk, unsigned conn);
    unsigned weight;
} steps[] = {
    {step_open, 12},    {step_join, 8},    {step_signal, 12},  {step_leave, 4},
    {step_nonsense, 3}, {step_unknown, 1}, {step_bad_utf8, 1}, {step_hear, 2},
    {step_close, 3},    {step_late, 1},    {step_tick, 4},
};

static void check_gauges(struct walk *walk)
{
    const uint64_t *values = walk->world->metrics.values;
    unsigned open = 0, joined = 0;

    for (unsigned i = 0; i < CONNS; i++) {
        open += walk->conns[i].state != GONE;
        joined += walk->conns[i].state == JOINED;
    }
    EXPECT_UINT(open, values[METRIC_WEBSOCKETS]);
    EXPECT_UINT(joined, values[METRIC_PEERS]);
    EXPECT_UINT(rooms_in_use(walk), values[METRIC_ROOMS]);
}

static void take_step(struct walk *walk)
{
    unsigned sum = 0, conn = dice_below(&walk->dice, CONNS), which = 0;

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        sum += steps[i].weight;
    unsigned chosen = dice_below(&walk->dice, sum);
    while (chosen >= steps[which].weight)
        chosen -= steps[which++].weight;
    walk->world->now_ms += dice_below(&walk->dice, 20);
    steps[which].take(walk, conn);
    EXPECT_THAT(world_is_quiet(walk->world), "somebody heard more than the model says");
    world_forget(walk->world);
    check_gauges(walk);
}

TEST(on_random_walks_everybody_hears_what_the_model_says)
{
    struct limits limits = world_limits();
    unsigned signals = 0, peers = 0;

    limits.messages = limits.bytes = limits.joins = (struct bucket_rate){0, 0};
    limits.room_peers_max = ROOM_PEERS_MAX;
    limits.rooms_max = ROOMS_MAX;
    for (unsigned seed = 1; seed <= WALKS && !test_has_failed(); seed++) {
        struct walk walk = {.world = world_new_limited(limits), .dice = {seed}};
        unsigned step = 0;
        while (step < STEPS && !test_has_failed()) {
            take_step(&walk);
            step++;
        }
        if (test_has_failed())
            printf("# seed %u, step %u\n", seed, step);
        signals += walk.messages_sent;
        peers += walk.peers_made;
        world_free(walk.world);
    }
    EXPECT_THAT(signals > 10000 && peers > 3000, "only %u signals and %u joins", signals, peers);
}
