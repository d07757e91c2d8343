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
                hub_closed(world->hub, b, HUB_END_GOODBYE, world->now_ms);
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
