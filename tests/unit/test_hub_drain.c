/* hub: how it ends. Everybody is sent away, one after the other, and nobody hears that anybody left. */
#include "world.h"

static struct world *world_of_grace(uint32_t drain_ms, uint32_t resume_ms)
{
    struct limits limits = world_calm_limits();

    limits.drain_ms = drain_ms;
    limits.resume_ms = resume_ms;
    return world_new_limited(limits);
}

/* Ten ticks a second, as the edge has them then. */
static void wait_briefly(struct world *world, uint64_t ms)
{
    for (; ms; ms -= 100) {
        world->now_ms += 100;
        hub_tick(world->hub, world->now_ms);
    }
}

TEST(each_is_told_its_own_moment_evenly_over_the_grace)
{
    struct world *world = world_of_grace(10000, 30000);
    conn_id conns[5];

    for (size_t i = 0; i < 5; i++)
        conns[i] = i % 2 ? world_join(world, "tea") : world_open(world);
    hub_drain(world->hub, world->now_ms);
    for (unsigned i = 0; i < 5; i++)
        EXPECT_HEARD(reconnect(i * 2000), conns[i]);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(those_who_are_gone_or_going_take_no_moment_of_the_others)
{
    struct world *world = world_of_grace(9000, 30000);
    conn_id conns[5];

    for (size_t i = 0; i < 5; i++)
        conns[i] = world_join(world, "tea");
    world_end(world, conns[0], HUB_END_LOST);
    hub_receive(world->hub, conns[2], STR("\xff"), world->now_ms);
    world_forget(world);
    hub_drain(world->hub, world->now_ms);
    EXPECT_HEARD(reconnect(0), conns[1]);
    EXPECT_HEARD(reconnect(3000), conns[3]);
    EXPECT_HEARD(reconnect(6000), conns[4]);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(who_is_still_there_half_a_second_after_its_moment_is_closed_1012_and_nobody_is_told)
{
    struct world *world = world_of_grace(4000, 30000);
    conn_id conns[4];

    for (size_t i = 0; i < 4; i++)
        conns[i] = world_join(world, "tea");
    world_forget(world);
    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    wait_briefly(world, 400);
    EXPECT_QUIET();
    for (size_t i = 0; i < 4; i++) {
        wait_briefly(world, 100);
        EXPECT_HEARD("close 1012", conns[i]);
        EXPECT_QUIET();
        wait_briefly(world, 900);
        EXPECT_QUIET();
    }
    EXPECT_GAUGES(1, 4, 4, 0);
    for (size_t i = 0; i < 4; i++)
        world_end(world, conns[i], HUB_END_REMOVED);
    EXPECT_QUIET();
    EXPECT_UINT(0, world->metrics.values[METRIC_WEBSOCKETS]);
    world_drop(world);
}

TEST(who_goes_by_itself_in_its_moment_is_not_told_either)
{
    struct world *world = world_of_grace(4000, 30000);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    world_end(world, a, HUB_END_LOST); /* with 3000, as a client does that will come back */
    wait_briefly(world, 2000);
    EXPECT_QUIET();
    world_say_signal(world, b, 1, "1"); /* what is kept here would end with this process */
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(1), 28000), b);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(who_says_goodbye_while_it_drains_has_left)
{
    struct world *world = world_of_grace(4000, 30000);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    world_end(world, a, HUB_END_GOODBYE);
    EXPECT_HEARD(user_left(1, "left"), b);
    EXPECT_QUIET();
    world_drop(world);
}

/* The grace may be longer than a seat is held. */
TEST(however_long_it_takes_nobody_hears_that_anybody_left)
{
    struct world *world = world_of_grace(300000, 30000);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_drain(world->hub, world->now_ms);
    EXPECT_HEARD(reconnect(0), a);
    EXPECT_HEARD(reconnect(150000), b);
    wait_briefly(world, 500);
    EXPECT_HEARD("close 1012", a);
    world_end(world, a, HUB_END_REMOVED);
    wait_briefly(world, 149900);
    EXPECT_QUIET();
    wait_briefly(world, 100);
    EXPECT_HEARD("close 1012", b);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(meanwhile_rooms_that_are_there_can_be_joined_and_new_ones_cannot)
{
    struct world *world = world_of_grace(10000, 30000);
    conn_id a = world_join(world, "tea"), b = world_open(world), c = world_join(world, "coffee");

    world_say_lock(world, c, true);
    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    world_say_join(world, b, "milk");
    EXPECT_HEARD(error_of(ERR_HUB_FULL), b);
    EXPECT_QUIET();
    world_say_join(world, b, "coffee");
    EXPECT_HEARD("{\"type\":\"Waiting\"}", b);
    EXPECT_HEARD(knocked(3), c);
    world_say(world, b, "{\"type\":\"LeaveRoom\"}");
    EXPECT_HEARD(knock_ended(3), c);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(room_joined("tea", 4, participant(1)), b);
    EXPECT_HEARD(user_joined(4), a);
    world_say_signal(world, a, 4, "1"); /* calls go on */
    EXPECT_HEARD(relayed(1, "1"), b);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(who_knocks_is_sent_away_too)
{
    struct world *world = world_of_grace(2000, 30000);
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say_lock(world, a, true);
    world_say_join(world, b, "tea");
    world_forget(world);
    hub_drain(world->hub, world->now_ms);
    EXPECT_HEARD(reconnect(0), a);
    EXPECT_HEARD(reconnect(1000), b);
    wait_briefly(world, 1500);
    EXPECT_HEARD("close 1012", a);
    EXPECT_HEARD("close 1012", b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 1, 0);
    world_drop(world);
}

TEST(without_a_grace_all_are_closed_at_the_next_tick)
{
    struct world *world = world_of_grace(0, 30000);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_drain(world->hub, world->now_ms);
    EXPECT_HEARD(reconnect(0), a);
    EXPECT_HEARD(reconnect(0), b);
    EXPECT_QUIET();
    hub_tick(world->hub, world->now_ms);
    EXPECT_HEARD("close 1012", a);
    EXPECT_HEARD("close 1012", b);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(who_comes_when_it_drains_is_closed_soon)
{
    struct world *world = world_of_grace(60000, 30000);

    hub_drain(world->hub, world->now_ms);
    EXPECT_QUIET(); /* nobody is there */
    conn_id late = world_open(world);
    wait_briefly(world, 500);
    EXPECT_HEARD("close 1012", late);
    EXPECT_QUIET();
    world_drop(world);
}

TEST(a_stop_of_this_process_does_not_close_all_at_once)
{
    struct world *world = world_of_grace(10000, 30000);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    wait_briefly(world, 500);
    EXPECT_HEARD("close 1012", a);
    world->now_ms += 3600000;
    hub_tick(world->hub, world->now_ms);
    EXPECT_QUIET();
    wait_briefly(world, 5000);
    EXPECT_HEARD("close 1012", b);
    world_drop(world);
}

/* A restart as those in a call live it. */
TEST(after_the_end_the_next_process_has_everybody_where_they_were)
{
    struct world *before = world_of_grace(4000, 30000), *world;
    conn_id old_a = world_join(before, "tea"), old_b = world_join(before, "tea");

    hub_drain(before->hub, before->now_ms);
    EXPECT_STR(reconnect(0), world_take(before, old_a));
    EXPECT_STR(reconnect(2000), world_take(before, old_b));
    world = world_new_process(before->limits, WORLD_PROCESS + 1);
    conn_id a = world_open(world);
    world_say_resume(world, a, "tea", 1, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 1, "", true, false, WORLD_PROCESS + 1), a);
    wait_briefly(before, 2500);
    conn_id b = world_open(world);
    world_say_resume(world, b, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 2, participant(1), true, false, WORLD_PROCESS + 1), b);
    EXPECT_QUIET();
    EXPECT_STR("close 1012", world_take(before, old_a));
    EXPECT_STR("close 1012", world_take(before, old_b));
    EXPECT_STR("", world_rest(before));
    world_drop(before);
    world_free(world);
}
