/* hub: each operation with its n-th allocation failing. It errs, all is as it was, and the same
 * again succeeds. */
#include "world.h"

#define JOIN                                                                                       \
    "{\"type\":\"JoinRoom\",\"roomId\":\"te\\u0061\",\"name\":\"M\\u0065le\",\"hello\":{\"a\":1}}"

TEST(without_memory_there_is_no_hub_and_with_it_there_is)
{
    struct limits limits = world_limits();
    struct effects effects = {0};
    struct metrics metrics = {0};
    struct hub_options options = {.limits = &limits,
                                  .metrics = &metrics,
                                  .key = {1, 2},
                                  .process = WORLD_PROCESS};
    unsigned n = 0;

    for (;;) {
        fail_allocation(++n);
        struct hub *hub = hub_new(&options, &effects, 0);
        bool failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT(failed == !hub);
        hub_free(hub);
        if (!failed)
            break;
    }
    EXPECT(n > 1);
}

TEST(opening_and_closing_need_no_memory)
{
    struct world *world = world_new();

    fail_allocation(1);
    conn_id a = world_open(world);
    EXPECT(a != 0);
    hub_closed(world->hub, a, HUB_END_LOST, world->now_ms);
    EXPECT(!allocation_has_failed());
    world_free(world);
}

/* What is the same whether or not the join came about: everyone knows what the hub knows. */
static void check_join(struct world *world, conn_id member, conn_id conn, bool failed)
{
    struct str answer = world_take(world, conn), told = world_take(world, member);

    if (str_starts_with(answer, STR("{\"type\":\"RoomJoined\""))) {
        EXPECT(str_starts_with(told, STR("{\"type\":\"UserJoined\"")));
        EXPECT_UINT(2, world->metrics.values[METRIC_PEERS]);
        return;
    }
    EXPECT(failed);
    EXPECT_THAT(str_starts_with(answer, STR("{\"type\":\"Error\"")) ||
                    str_starts_with(answer, STR("close ")),
                "the newcomer heard \"%.*s\"", (int)answer.size, answer.text);
    EXPECT_THAT(told.size == 0, "the member heard \"%.*s\"", (int)told.size, told.text);
    EXPECT_UINT(1, world->metrics.values[METRIC_PEERS]);
    EXPECT_UINT(1, world->metrics.values[METRIC_ROOMS]);
}

TEST(a_join_without_memory_is_refused_and_told_to_nobody)
{
    unsigned n = 0;
    bool failed;

    do {
        struct world *world = world_new();
        conn_id member = world_join(world, "tea"), conn = world_open(world);
        fail_allocation(++n);
        world_say(world, conn, JOIN);
        failed = allocation_has_failed();
        fail_allocation(0);
        check_join(world, member, conn, failed);

        conn_id again = world_open(world);
        world_forget(world);
        world_say(world, again, JOIN);
        EXPECT(str_starts_with(world_take(world, again), STR("{\"type\":\"RoomJoined\"")));
        EXPECT(str_starts_with(world_take(world, member), STR("{\"type\":\"UserJoined\"")));
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(n > 1);
}

TEST(the_first_join_of_all_without_memory_leaves_no_room)
{
    unsigned n = 0;
    bool failed;

    do {
        struct world *world = world_new();
        conn_id conn = world_open(world);
        fail_allocation(++n);
        world_say(world, conn, JOIN);
        failed = allocation_has_failed();
        fail_allocation(0);
        struct str answer = world_take(world, conn);
        bool joined = str_starts_with(answer, STR("{\"type\":\"RoomJoined\""));
        EXPECT_THAT(joined || answer.size, "allocation %u: neither joined nor told why not", n);
        EXPECT_UINT(joined, world->metrics.values[METRIC_PEERS]);
        EXPECT_UINT(joined, world->metrics.values[METRIC_ROOMS]);
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(n > 1);
}

TEST(a_signal_without_escapes_needs_no_memory)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    fail_allocation(1);
    world_say(world, a, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":\"\\u0061\"}",
              peer_id(2));
    EXPECT(!allocation_has_failed());
    EXPECT_STR(relayed(1, "\"\\u0061\""), world_take(world, b));
    world_free(world);
}

TEST(a_signal_with_escapes_arrives_whole_or_is_refused)
{
    unsigned n = 0;
    bool failed;

    do {
        struct world *world = world_new();
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        fail_allocation(++n);
        world_say(world, a,
                  "{\"typ\\u0065\":\"Sign\\u0061l\",\"peerId\":\"\\u0030%s\",\"message\":1}",
                  peer_id(2) + 1);
        failed = allocation_has_failed();
        fail_allocation(0);
        struct str told = world_take(world, b), answer = world_take(world, a);
        EXPECT(failed ? !told.size && answer.size : told.size && !answer.size);
        if (told.size)
            EXPECT_STR(relayed(1, "1"), told);
        world_free(world);
    } while (failed && !test_has_failed());
}

/* However little memory there is, a peer that is gone is told to be gone, and a seat is held. */
TEST(leaving_is_told_also_without_memory)
{
    static const enum {
        BY_MESSAGE,
        BY_CLOSE,
        BY_OUR_CLOSE,
        WAYS
    } ways[] = {BY_MESSAGE, BY_CLOSE, BY_OUR_CLOSE};

    for (size_t way = 0; way < WAYS; way++) {
        unsigned n = 0;
        bool failed;
        do {
            struct world *world = world_new();
            conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
            fail_allocation(++n);
            if (ways[way] == BY_MESSAGE)
                world_say(world, b, "{\"type\":\"LeaveRoom\"}");
            else if (ways[way] == BY_CLOSE)
                world_end(world, b, HUB_END_GOODBYE);
            else
                hub_receive(world->hub, b, STR("\xff"), world->now_ms);
            failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT(str_starts_with(world_take(world, a), STR("{\"type\":\"UserLeft\"")));
            EXPECT_UINT(1, world->metrics.values[METRIC_PEERS]);
            world_free(world);
        } while (failed && !test_has_failed());
    }
}

TEST(every_error_is_told_also_without_memory)
{
    unsigned n = 0;
    bool failed;

    do {
        struct world *world = world_new();
        conn_id a = world_open(world); /* the first words of this hub */
        fail_allocation(++n);
        world_say(world, a, "{");
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, a));
        world_free(world);
    } while (failed && !test_has_failed());
}

/* ---- seats ---- */

#define ROOM_JOINED STR("{\"type\":\"RoomJoined\"")
#define HUB_FULL    STR("{\"type\":\"Error\",\"code\":\"hub-full\"")

/* Where each of these begins: peers 1 and 2 are in "tea", 2 is away and 1 has said something to it. */
static struct world *world_with_one_away(conn_id *member)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id away;

    *member = world_join(world, "tea");
    away = world_join(world, "tea");
    world_end(world, away, HUB_END_LOST);
    world_say_signal(world, *member, 2, "1");
    world_forget(world);
    return world;
}

/* What the tests below repeat: the n-th allocation fails while `act` is done; says whether one did. */
typedef void act_fn(struct world *world, conn_id conn);

static bool act_without_memory(struct world *world, conn_id conn, act_fn *act, unsigned n)
{
    fail_allocation(n);
    act(world, conn);
    bool failed = allocation_has_failed();
    fail_allocation(0);
    return failed;
}

static void act_resume(struct world *world, conn_id conn)
{
    world_say_resume(world, conn, "tea", 2, WORLD_PROCESS);
}

TEST(a_resume_without_memory_is_refused_and_the_seat_waits_on)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        conn_id member;
        struct world *world = world_with_one_away(&member);
        conn_id conn = world_open(world);
        failed = act_without_memory(world, conn, act_resume, ++n);
        struct str answer = world_take(world, conn);
        if (!str_starts_with(answer, ROOM_JOINED)) {
            EXPECT_THAT(failed && str_starts_with(answer, HUB_FULL), "%u: %.*s", n,
                        (int)answer.size, answer.text);
            EXPECT_HEARD("close 1013", conn);
            EXPECT_GAUGES(1, 2, 1, 0);
            refusals++;
            conn = world_open(world);
            act_resume(world, conn);
            EXPECT(str_starts_with(world_take(world, conn), ROOM_JOINED));
        }
        EXPECT_HEARD(relayed(1, "1"), conn);
        EXPECT_QUIET();
        EXPECT_GAUGES(1, 2, 0, 0);
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

TEST(a_take_over_without_memory_leaves_the_older_one_where_it_is)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        struct world *world = world_new_limited(world_calm_limits());
        conn_id member = world_join(world, "tea"), older = world_join(world, "tea"),
                newer = world_open(world);
        world_forget(world);
        failed = act_without_memory(world, newer, act_resume, ++n);
        bool taken = str_starts_with(world_take(world, newer), ROOM_JOINED);
        EXPECT(taken || failed);
        refusals += !taken;
        EXPECT_HEARD(taken ? "close 4001" : "", older);
        EXPECT_HEARD(taken ? "" : "close 1013", newer);
        EXPECT_QUIET();
        world_say_signal(world, member, 2, "1");
        EXPECT_HEARD(relayed(1, "1"), taken ? newer : older);
        EXPECT_GAUGES(1, 2, 0, 0);
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

static void act_restore(struct world *world, conn_id conn)
{
    world_say_resume(world, conn, "tea", 50, WORLD_PROCESS - 1);
}

TEST(a_restored_seat_is_there_and_told_or_neither)
{
    for (int others = 0; others < 2; others++) {
        unsigned n = 0, refusals = 0;
        bool failed;
        do {
            struct world *world = world_new_limited(world_calm_limits());
            conn_id member = others ? world_join(world, "tea") : 0, conn = world_open(world);
            failed = act_without_memory(world, conn, act_restore, ++n);
            struct str answer = world_take(world, conn);
            bool restored = str_starts_with(answer, ROOM_JOINED);
            EXPECT_THAT(restored || (failed && str_starts_with(answer, HUB_FULL)), "%u: %.*s", n,
                        (int)answer.size, answer.text);
            refusals += !restored;
            EXPECT_GAUGES(others || restored, others + restored, 0, 0);
            if (others)
                EXPECT_HEARD(restored ? user_joined(50) : "", member);
            conn = world_open(world);
            act_restore(world, conn);
            EXPECT(str_starts_with(world_take(world, conn), ROOM_JOINED));
            EXPECT_GAUGES(1, 1 + others, 0, 0);
            world_free(world);
        } while (failed && !test_has_failed());
        EXPECT(refusals > 0);
    }
}

static void act_signal(struct world *world, conn_id conn)
{
    static char filling[1000];

    memset(filling, '7', sizeof filling - 1);
    world_say_signal(world, conn, 2, filling);
}

TEST(what_cannot_be_kept_is_told_to_its_sender_and_the_rest_is_kept)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        conn_id member;
        struct world *world = world_with_one_away(&member);
        uint64_t kept = world->metrics.values[METRIC_BACKLOG_BYTES];
        failed = act_without_memory(world, member, act_signal, ++n);
        EXPECT_HEARD(failed ? error_about(ERR_RATE_LIMITED, peer_id(2), 30000) : "", member);
        EXPECT(!failed || world->metrics.values[METRIC_BACKLOG_BYTES] == kept);
        refusals += failed;
        world_say_signal(world, member, 2, "2");
        conn_id again = world_open(world);
        act_resume(world, again);
        EXPECT(str_starts_with(world_take(world, again), ROOM_JOINED));
        EXPECT_HEARD(relayed(1, "1"), again);
        if (!failed)
            EXPECT(world_take(world, again).size > 1000);
        EXPECT_HEARD(relayed(1, "2"), again);
        EXPECT_QUIET();
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

/* ---- at the door ---- */

static void act_knock(struct world *world, conn_id conn)
{
    world_say(world, conn, JOIN);
}

TEST(a_knock_without_memory_is_not_heard)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        struct world *world = world_new_limited(world_calm_limits());
        conn_id member = world_join(world, "tea"), conn = world_open(world);
        world_say_lock(world, member, true);
        world_forget(world);
        failed = act_without_memory(world, conn, act_knock, ++n);
        struct str answer = world_take(world, conn);
        bool waits = str_equal(answer, str_of(WAITING));
        EXPECT_THAT(waits || (failed && str_starts_with(answer, HUB_FULL)), "%u: %.*s", n,
                    (int)answer.size, answer.text);
        refusals += !waits;
        EXPECT_UINT(waits, world_take(world, member).size > 0);
        EXPECT_GAUGES(1, 1, 0, waits);
        EXPECT_UINT(waits ? strlen("{\"a\":1}") : 0, world->metrics.values[METRIC_BACKLOG_BYTES]);
        conn = world_open(world);
        act_knock(world, conn);
        EXPECT_HEARD(WAITING, conn);
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

/* "tea", locked by peer 1; 2 and 3 knock. */
static struct world *world_with_knocks(conn_id conns[3])
{
    struct world *world = world_new_limited(world_calm_limits());

    conns[0] = world_join(world, "tea");
    world_say_lock(world, conns[0], true);
    for (int i = 1; i < 3; i++) {
        conns[i] = world_open(world);
        world_say(world, conns[i], JOIN);
    }
    world_forget(world);
    return world;
}

static void act_admit(struct world *world, conn_id conn)
{
    world_say(world, conn, "{\"type\":\"Admit\",\"peerId\":\"%s\"}", peer_id(2));
}

TEST(who_cannot_be_admitted_for_lack_of_memory_knocks_on)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        conn_id conns[3];
        struct world *world = world_with_knocks(conns);
        failed = act_without_memory(world, conns[0], act_admit, ++n);
        struct str answer = world_take(world, conns[1]);
        if (answer.size == 0) {
            EXPECT(failed);
            EXPECT_HEARD(error_about(ERR_HUB_FULL, peer_id(2), 0), conns[0]);
            EXPECT_QUIET();
            EXPECT_GAUGES(1, 1, 0, 2);
            refusals++;
            act_admit(world, conns[0]);
            answer = world_take(world, conns[1]);
        }
        EXPECT(str_starts_with(answer, ROOM_JOINED));
        EXPECT_HEARD(knock_ended(2), conns[0]);
        EXPECT(str_starts_with(world_take(world, conns[0]), STR("{\"type\":\"UserJoined\"")));
        EXPECT_GAUGES(1, 2, 0, 1);
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

static void act_unlock(struct world *world, conn_id conn)
{
    world_say_lock(world, conn, false);
}

static void act_leave(struct world *world, conn_id conn)
{
    world_end(world, conn, HUB_END_GOODBYE);
}

/* One of two may come in and the other not: each hears one or the other, and nobody goes on knocking. */
TEST(an_opened_door_leaves_nobody_outside_without_a_word)
{
    static act_fn *const acts[] = {act_unlock, act_leave};

    for (size_t a = 0; a < ARRAY_SIZE(acts); a++) {
        unsigned n = 0, refusals = 0;
        bool failed;
        do {
            conn_id conns[3];
            struct world *world = world_with_knocks(conns);
            failed = act_without_memory(world, conns[0], acts[a], ++n);
            unsigned in = 0;
            for (int i = 1; i < 3; i++) {
                struct str answer = world_take(world, conns[i]);
                bool joined = str_starts_with(answer, ROOM_JOINED);
                EXPECT_THAT(joined || str_starts_with(answer, HUB_FULL), "%u: %.*s", n,
                            (int)answer.size, answer.text);
                in += joined;
            }
            EXPECT(failed ? in >= 1 : in == 2);
            refusals += 2 - in;
            EXPECT_GAUGES(1, in + (acts[a] == act_unlock), 0, 0);
            EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
            world_free(world);
        } while (failed && !test_has_failed());
        EXPECT(refusals > 0);
    }
}

/* These say what they have to say also without memory. */
TEST(locking_denying_expiring_and_draining_need_no_memory)
{
    conn_id conns[3];
    struct world *world = world_with_knocks(conns);

    fail_allocation(1);
    world_say_lock(world, conns[0], true);
    world_say(world, conns[0], "{\"type\":\"Deny\",\"peerId\":\"%s\"}", peer_id(2));
    world_say(world, conns[2], "{\"type\":\"LeaveRoom\"}");
    EXPECT_HEARD(room_locked(1, true), conns[0]);
    EXPECT_HEARD(knock_ended(2), conns[0]);
    EXPECT_HEARD(knock_ended(3), conns[0]);
    EXPECT_HEARD(error_of(ERR_ROOM_LOCKED), conns[1]);
    world_end(world, conns[0], HUB_END_LOST);
    world_wait(world, 30000);
    EXPECT_GAUGES(0, 0, 0, 0);
    hub_drain(world->hub, world->now_ms);
    EXPECT_HEARD(reconnect(0), conns[1]);
    EXPECT(!allocation_has_failed());
    fail_allocation(0);
    world_free(world);
}
