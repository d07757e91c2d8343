/* hub: seats that are held for peers whose connection broke, what is kept for them, and coming back within
 * one process. Rules 6 and 7 of docs/protocol.md. */
#include "world.h"

#include <stdio.h>

#define LEAVE "{\"type\":\"LeaveRoom\"}"

static const char bad_token[] = "{\"type\":\"Error\",\"code\":\"bad-resume-token\"";

/* What peer `n` hears that comes back to "tea". */
static const char *back_in_tea(unsigned n, const char *others)
{
    return room_rejoined("tea", n, others, true, false, WORLD_PROCESS);
}

/* A new connection takes that peer's seat in "tea". */
static conn_id come_back(struct world *world, unsigned n)
{
    conn_id conn = world_open(world);

    world_say_resume(world, conn, "tea", n, WORLD_PROCESS);
    return conn;
}

/* ---- holding ---- */

TEST(a_lost_connection_keeps_its_seat_and_nobody_is_told)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world);

    world_end(world, b, HUB_END_LOST);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 1, 0);
    world_say_join(world, c, "tea");
    EXPECT_HEARD(room_joined("tea", 3, fmt("%s,%s", participant(1), participant(2))), c);
    EXPECT_HEARD(user_joined(3), a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(when_the_time_is_over_the_others_hear_timeout_and_only_once)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_wait(world, 29999);
    EXPECT_QUIET();
    world_wait(world, 1);
    EXPECT_HEARD(user_left(2, "timeout"), a);
    EXPECT_GAUGES(1, 1, 0, 0);
    world_wait(world, 100000);
    EXPECT_QUIET();
    world_free(world);
}

TEST(how_long_a_seat_is_held_is_the_options_business)
{
    struct limits limits = world_calm_limits();
    limits.resume_ms = 5000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_wait(world, 4999);
    EXPECT_QUIET();
    world_wait(world, 1);
    EXPECT_HEARD(user_left(2, "timeout"), a);
    world_free(world);
}

TEST(without_seats_to_hold_a_loss_is_told_at_once)
{
    struct limits limits = world_calm_limits();
    limits.resume_ms = 0;
    limits.gone_after_ms = 3000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    EXPECT_HEARD(user_left(2, "timeout"), a);
    EXPECT_HEARD(user_left(2, "timeout"), c);
    for (int i = 0; i < 3; i++) {
        hub_heard(world->hub, a, world->now_ms);
        world_wait(world, 1000);
    }
    EXPECT_HEARD("close 1012", c);
    EXPECT_HEARD(user_left(3, "timeout"), a);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 0);
    world_free(world);
}

TEST(a_goodbye_and_a_removal_free_the_seat_at_once)
{
    static const struct {
        enum hub_end end;
        const char *reason;
    } rows[] = {{HUB_END_GOODBYE, "left"}, {HUB_END_REMOVED, "removed"}};
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea");

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        conn_id b = world_join(world, "tea");
        world_end(world, b, rows[i].end);
        EXPECT_HEARD(user_left(2 + i, rows[i].reason), a);
        EXPECT_GAUGES(1, 1, 0, 0);
        conn_id again = come_back(world, 2 + i);
        EXPECT(str_starts_with(world_take(world, again), str_of(bad_token)));
    }
    EXPECT_QUIET();
    world_free(world);
}

TEST(whom_we_throw_out_we_keep_no_seat_for)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    hub_receive(world->hub, b, STR("\xff"), world->now_ms);
    EXPECT_HEARD("close 1007", b);
    EXPECT_HEARD(user_left(2, "removed"), a);
    for (int i = 0; i < LIMIT_BAD_MESSAGES_MAX; i++)
        world_say(world, c, "{");
    EXPECT_HEARD(user_left(3, "removed"), a);
    EXPECT_GAUGES(1, 1, 0, 0);
    world_forget(world);
    world_end(world, b, HUB_END_LOST); /* how our own close ends makes no difference */
    world_end(world, c, HUB_END_LOST);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 0);
    world_free(world);
}

TEST(who_was_silent_for_too_long_finds_the_seat_again)
{
    struct limits limits = world_calm_limits();
    limits.gone_after_ms = 3000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < 3; i++) {
        hub_heard(world->hub, a, world->now_ms);
        world_wait(world, 1000);
    }
    EXPECT_HEARD("close 1012", b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 1, 0);
    conn_id again = come_back(world, 2); /* hub_closed() of the old one is still to come */
    EXPECT_HEARD(back_in_tea(2, participant(1)), again);
    world_end(world, b, HUB_END_REMOVED);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);
    world_say_signal(world, a, 2, "1");
    EXPECT_HEARD(relayed(1, "1"), again);
    world_free(world);
}

TEST(a_held_seat_is_a_seat_of_a_full_room)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 2;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), late = world_open(world);

    world_end(world, b, HUB_END_LOST);
    world_say_join(world, late, "tea");
    EXPECT_HEARD(error_of(ERR_ROOM_FULL), late);
    conn_id again = come_back(world, 2);
    EXPECT_HEARD(back_in_tea(2, participant(1)), again);
    EXPECT_QUIET();
    (void)a;
    world_free(world);
}

TEST(a_room_of_which_all_are_away_stays_until_the_last_ones_time_is_over)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, a, HUB_END_LOST);
    world_wait(world, 10000);
    world_end(world, b, HUB_END_LOST);
    EXPECT_GAUGES(1, 2, 2, 0);
    world_wait(world, 20000);
    EXPECT_GAUGES(1, 1, 1, 0);
    world_wait(world, 9999);
    EXPECT_GAUGES(1, 1, 1, 0);
    world_wait(world, 1);
    EXPECT_GAUGES(0, 0, 0, 0);
    EXPECT_QUIET();
    world_free(world);
}

TEST(seats_expire_in_the_order_of_the_losses_and_those_taken_again_do_not)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), lost[4];

    for (int i = 0; i < 4; i++)
        lost[i] = world_join(world, "tea"); /* peers 2 to 5 */
    for (int i = 3; i >= 0; i--) {
        world_end(world, lost[i], HUB_END_LOST); /* 5, 4, 3, 2 */
        world_wait(world, 1000);
    }
    EXPECT_GAUGES(1, 5, 4, 0);
    conn_id back = come_back(world, 4);
    world_forget(world);
    EXPECT_GAUGES(1, 5, 3, 0);
    static const unsigned order[] = {5, 0, 3, 2};
    world_wait(world, 25999);
    EXPECT_QUIET();
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        world_wait(world, i ? 1000 : 1);
        if (order[i])
            EXPECT_HEARD(user_left(order[i], "timeout"), a);
        world_take(world, back);
        EXPECT_QUIET();
    }
    world_free(world);
}

/* SIGSTOP: what the peers said meanwhile is still unread. */
TEST(a_stop_of_this_process_takes_nothing_from_a_seats_time)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_wait(world, 10000);
    world->now_ms += 3600000;
    hub_tick(world->hub, world->now_ms);
    EXPECT_GAUGES(1, 2, 1, 0);
    world_wait(world, 19999);
    EXPECT_QUIET();
    world_wait(world, 1);
    EXPECT_HEARD(user_left(2, "timeout"), a);
    world_free(world);
}

/* ---- what is kept ---- */

TEST(signals_for_one_who_is_away_come_after_room_joined_in_order)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_end(world, c, HUB_END_LOST);
    for (unsigned i = 0; i < 30; i++) {
        world_say_signal(world, a, 3, fmt("{ \"a\" :\t%u}", i));
        world_say_signal(world, b, 3, fmt("\"b%u \\u0000\"", i));
    }
    EXPECT_QUIET();
    conn_id again = come_back(world, 3);
    EXPECT_HEARD(back_in_tea(3, fmt("%s,%s", participant(1), participant(2))), again);
    for (unsigned i = 0; i < 30; i++) {
        EXPECT_HEARD(relayed(1, fmt("{ \"a\" :\t%u}", i)), again);
        EXPECT_HEARD(relayed(2, fmt("\"b%u \\u0000\"", i)), again);
    }
    EXPECT_QUIET();
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say_signal(world, a, 3, "1"); /* behind what was kept */
    EXPECT_HEARD(relayed(1, "1"), again);
    world_free(world);
}

TEST(what_room_joined_will_tell_is_not_kept)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_end(world, c, HUB_END_LOST);
    world_join(world, "tea");
    world_end(world, b, HUB_END_GOODBYE);
    world_say_lock(world, a, true);
    world_forget(world);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    conn_id again = come_back(world, 3);
    EXPECT_HEARD(room_rejoined("tea", 3, fmt("%s,%s", participant(1), participant(4)), true, true,
                               WORLD_PROCESS),
                 again);
    EXPECT_QUIET();
    world_free(world);
}

TEST(two_who_are_away_at_once_find_each_other_and_what_the_other_said)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say_signal(world, a, 2, "0");
    EXPECT_HEARD(relayed(1, "0"), b);
    world_end(world, b, HUB_END_LOST);
    world_say_signal(world, a, 2, "1");
    world_end(world, a, HUB_END_LOST);
    b = come_back(world, 2);
    EXPECT_HEARD(back_in_tea(2, participant(1)), b);
    EXPECT_HEARD(relayed(1, "1"), b);
    world_say_signal(world, b, 1, "2");
    a = come_back(world, 1);
    EXPECT_HEARD(back_in_tea(1, participant(2)), a);
    EXPECT_HEARD(relayed(2, "2"), a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(so_many_messages_are_kept_and_the_next_ones_sender_is_told_how_long_to_wait)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    for (unsigned i = 0; i < 64; i++)
        world_say_signal(world, a, 2, fmt("%u", i));
    EXPECT_QUIET();
    world_say_signal(world, a, 2, "64");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 30000), a);
    world_wait(world, 12000);
    world_say_signal(world, a, 2, "64");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 18000), a);
    conn_id again = come_back(world, 2);
    EXPECT_HEARD(back_in_tea(2, participant(1)), again);
    for (unsigned i = 0; i < 64; i++)
        EXPECT_HEARD(relayed(1, fmt("%u", i)), again);
    EXPECT_QUIET();

    world_end(world, again, HUB_END_LOST); /* and then as many again */
    for (unsigned i = 0; i < 64; i++)
        world_say_signal(world, a, 2, fmt("%u", i));
    EXPECT_QUIET();
    world_free(world);
}

/* The seat's time is over, but no tick has come yet. */
TEST(the_wait_that_is_told_is_never_longer_than_a_seat_is_held)
{
    struct limits limits = world_calm_limits();
    limits.backlog_messages_max = 1;
    static const unsigned late_ms[] = {0, 1, 900};

    for (size_t i = 0; i < ARRAY_SIZE(late_ms); i++) {
        struct world *world = world_new_limited(limits);
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        world_end(world, b, HUB_END_LOST);
        world_say_signal(world, a, 2, "1");
        world_wait(world, 29000);
        world->now_ms += 1000 + late_ms[i];
        world_say_signal(world, a, 2, "2");
        EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 1), a);
        world_free(world);
    }
}

/* Each costs its size and four bytes. */
TEST(so_many_bytes_are_kept_and_what_is_too_big_keeps_nothing_smaller_out)
{
    struct limits limits = world_calm_limits();
    size_t envelope = strlen(relayed(1, ""));
    limits.backlog_size_max = (uint32_t)(2 * (4 + envelope) + 100);
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
    char first[91], big[12];

    memset(first, '7', sizeof first);
    first[90] = '\0';
    memset(big, '8', sizeof big);
    big[11] = '\0';
    world_end(world, b, HUB_END_LOST);
    world_say_signal(world, a, 2, first);
    EXPECT_QUIET();
    world_say_signal(world, a, 2, big); /* 11 bytes, 10 are left */
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 30000), a);
    world_say_signal(world, a, 2, big + 1);
    EXPECT_QUIET();
    EXPECT_UINT(limits.backlog_size_max, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say_signal(world, a, 2, "1");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 30000), a);
    conn_id again = come_back(world, 2);
    world_take(world, again);
    EXPECT_HEARD(relayed(1, first), again);
    EXPECT_HEARD(relayed(1, big + 1), again);
    EXPECT_QUIET();
    world_free(world);
}

TEST(all_who_are_away_share_what_is_kept)
{
    struct limits limits = world_calm_limits();
    size_t cost = 4 + strlen(relayed(1, "1"));
    limits.backlogs_size_max = (uint32_t)(3 * cost);
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_wait(world, 1000);
    world_end(world, c, HUB_END_LOST);
    world_say_signal(world, a, 2, "1");
    world_say_signal(world, a, 2, "2");
    world_say_signal(world, a, 3, "3");
    EXPECT_QUIET();
    EXPECT_UINT(3 * cost, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say_signal(world, a, 3, "4");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(3), 30000), a);
    world_say_signal(world, a, 2, "4");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 29000), a);

    world_wait(world, 29000); /* what was kept for 2 goes with its seat */
    EXPECT_HEARD(user_left(2, "timeout"), a);
    EXPECT_UINT(cost, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say_signal(world, a, 3, "4");
    EXPECT_QUIET();
    conn_id again = come_back(world, 3);
    world_take(world, again);
    EXPECT_HEARD(relayed(1, "3"), again);
    EXPECT_HEARD(relayed(1, "4"), again);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_free(world);
}

TEST(a_full_backlog_costs_those_who_are_there_nothing)
{
    struct limits limits = world_calm_limits();
    limits.backlog_messages_max = 1;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_say_signal(world, a, 2, "1");
    world_say_signal(world, a, 2, "2");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, peer_id(2), 30000), a);
    world_say_signal(world, a, 3, "3");
    EXPECT_HEARD(relayed(1, "3"), c);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_message_of_the_largest_size_is_kept_whole)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
    size_t size = world->limits.message_size_max;
    static char text[128 * 1024];
    int used = snprintf(text, sizeof text, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":\"",
                        peer_id(2));

    memset(text + used, 'm', size - (size_t)used);
    memcpy(text + size - 2, "\"}", 2);
    world_end(world, b, HUB_END_LOST);
    hub_receive(world->hub, a, (struct str){text, size}, world->now_ms);
    EXPECT_QUIET();
    conn_id again = come_back(world, 2);
    world_take(world, again);
    struct str got = world_take(world, again);
    struct str message = {text + used - 1, size - (size_t)used};
    EXPECT(got.size > message.size + 1);
    EXPECT(memcmp(got.text + got.size - 1 - message.size, message.text, message.size) == 0);
    EXPECT_QUIET();
    world_free(world);
}

/* ---- coming back ---- */

TEST(coming_back_gives_the_same_peer_and_the_others_hear_nothing)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_open(world), c = world_join(world, "tea");

    world_say(world, b,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Mele\"}"); /* peer 3 */
    world_forget(world);
    world_end(world, b, HUB_END_LOST);
    world_wait(world, 29000);
    conn_id again = world_open(world);
    world_say(world, again,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Moana\",\"hello\":1,"
              "\"resumeToken\":\"%s\"}",
              resume_token("tea", 3, WORLD_PROCESS));
    EXPECT_HEARD(back_in_tea(3, fmt("%s,%s", participant(1), participant(2))), again);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 3, 0, 0);
    EXPECT_UINT(1, world->metrics.values[METRIC_RESUMES]);
    EXPECT_UINT(3, world->metrics.values[METRIC_JOINS_TOTAL]);
    world_wait(world, 60000); /* the old time does not end it */
    EXPECT_QUIET();

    world_say_signal(world, again, 1, "1");
    EXPECT_HEARD(relayed(3, "1"), a);
    conn_id late = world_open(world); /* the seat is as it was: place, name */
    world_say_join(world, late, "tea");
    EXPECT_HEARD(room_joined("tea", 4,
                             fmt("%s,%s,{\"peerId\":\"%s\",\"name\":\"Mele\"}", participant(1),
                                 participant(2), peer_id(3))),
                 late);
    world_forget(world);
    world_say(world, again, LEAVE);
    EXPECT_HEARD(user_left(3, "left"), a);
    EXPECT_HEARD(user_left(3, "left"), c);
    world_free(world);
}

TEST(the_newest_socket_wins_and_the_older_is_closed_4001)
{
    static const enum hub_end ends[] = {HUB_END_GOODBYE, HUB_END_LOST, HUB_END_REMOVED};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        struct world *world = world_new_limited(world_calm_limits());
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        conn_id newer = come_back(world, 2);
        EXPECT_HEARD("close 4001", b);
        EXPECT_HEARD(back_in_tea(2, participant(1)), newer);
        EXPECT_QUIET();

        world_say_signal(world, b, 1, "1"); /* it was on its way: nobody hears it */
        world_say(world, b, LEAVE);
        EXPECT_QUIET();
        world_say_signal(world, a, 2, "2");
        EXPECT_HEARD(relayed(1, "2"), newer);
        world_end(world, b, ends[i]);
        EXPECT_QUIET();
        EXPECT_GAUGES(1, 2, 0, 0);

        conn_id newest = come_back(world, 2);
        EXPECT_HEARD("close 4001", newer);
        EXPECT_HEARD(back_in_tea(2, participant(1)), newest);
        EXPECT_QUIET();
        world_end(world, newer, ends[i]);
        EXPECT_QUIET();
        world_say_signal(world, newest, 1, "3");
        EXPECT_HEARD(relayed(2, "3"), a);
        EXPECT_UINT(2, world->metrics.values[METRIC_RESUMES]);
        world_free(world);
    }
}

TEST(two_that_come_back_at_once_are_one_peer_in_the_end)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_say_signal(world, a, 2, "1");
    conn_id first = come_back(world, 2), second = come_back(world, 2);
    EXPECT_HEARD(back_in_tea(2, participant(1)), first);
    EXPECT_HEARD(relayed(1, "1"), first);
    EXPECT_HEARD("close 4001", first);
    EXPECT_HEARD(back_in_tea(2, participant(1)), second);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);
    world_free(world);
}

/* The slot of the old connection has a stranger in it by now. */
TEST(coming_back_closes_nobody_else)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    conn_id stranger = world_join(world, "coffee");
    EXPECT((uint32_t)stranger == (uint32_t)b);
    conn_id again = come_back(world, 2);
    EXPECT_HEARD(back_in_tea(2, participant(1)), again);
    EXPECT_QUIET();
    (void)a;
    world_free(world);
}

TEST(a_seat_that_is_gone_does_not_come_back_but_its_peer_may_join_anew)
{
    static const enum {
        LEFT,
        GOODBYE,
        REMOVED,
        EXPIRED,
        WAYS
    } ways[] = {LEFT, GOODBYE, REMOVED, EXPIRED};
    for (size_t i = 0; i < WAYS; i++) {
        struct world *world = world_new_limited(world_calm_limits());
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        if (ways[i] == LEFT)
            world_say(world, b, LEAVE);
        else
            world_end(world, b,
                      ways[i] == GOODBYE   ? HUB_END_GOODBYE
                      : ways[i] == REMOVED ? HUB_END_REMOVED
                                           : HUB_END_LOST);
        world_wait(world, 30000);
        world_forget(world);
        conn_id again = come_back(world, 2);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), again);
        EXPECT_QUIET();
        EXPECT_UINT(1, world->metrics.values[METRIC_RESUMES_REFUSED]);
        world_say_join(world, again, "tea");
        EXPECT_HEARD(room_joined("tea", 3, participant(1)), again);
        EXPECT_HEARD(user_joined(3), a);
        world_free(world);
    }
}

TEST(each_token_of_a_seat_is_good_as_long_as_the_seat_is)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world->wall_s +=
        30 * 24 * 3600; /* this process knows the seat: how old the token is does not matter */
    conn_id again = come_back(world, 2);
    struct str told = world_take(world, again);
    EXPECT(str_starts_with(told, STR("{\"type\":\"RoomJoined\"")));
    EXPECT(!memmem(told.text, told.size, resume_token("tea", 2, WORLD_PROCESS), TOKEN_SIZE));
    world_end(world, again, HUB_END_LOST);
    again = come_back(world, 2); /* the first token once more */
    EXPECT(str_starts_with(world_take(world, again), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_QUIET();
    (void)a;
    world_free(world);
}

TEST(a_resume_on_a_connection_that_is_in_a_room_changes_nothing)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say_resume(world, a, "tea", 1, WORLD_PROCESS);
    EXPECT_HEARD(error_of(ERR_ALREADY_IN_ROOM), a);
    world_say_resume(world, a, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(error_of(ERR_ALREADY_IN_ROOM), a);
    world_end(world, b, HUB_END_LOST);
    world_say_resume(world, a, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(error_of(ERR_ALREADY_IN_ROOM), a);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 1, 0);
    world_free(world);
}

TEST(who_left_one_room_may_come_back_to_another)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "coffee");

    world_end(world, a, HUB_END_LOST);
    world_say(world, b, LEAVE);
    world_say_resume(world, b, "tea", 1, WORLD_PROCESS);
    EXPECT_HEARD(back_in_tea(1, ""), b);
    EXPECT_QUIET();
    world_free(world);
}

TEST(what_is_wrong_with_a_resume_leaves_the_seat_held)
{
    static const struct {
        const char *more;
        enum err err;
    } rows[] = {
        {",\"name\":\"a\\u202eb\"", ERR_BAD_NAME},
        {",\"name\":7", ERR_BAD_MESSAGE},
        {",\"resumeToken\":\"\"", ERR_BAD_MESSAGE}, /* twice */
    };
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_end(world, a, HUB_END_LOST);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        world_say(world, b, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"resumeToken\":\"%s\"%s}",
                  resume_token("tea", 1, WORLD_PROCESS), rows[i].more);
        EXPECT_HEARD(error_of(rows[i].err), b);
        EXPECT_GAUGES(1, 1, 1, 0);
    }
    world_say_resume(world, b, "tea", 1, WORLD_PROCESS);
    EXPECT_HEARD(back_in_tea(1, ""), b);
    world_free(world);
}

TEST(coming_back_costs_no_join_of_the_address)
{
    struct limits limits = world_calm_limits();
    limits.joins_per_minute = 1;
    limits.joins_burst = 1;
    limits_derive(&limits);
    struct world *world = world_new_limited(limits);

    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    conn_id a = world_join(world, "tea");
    for (int i = 0; i < 10; i++) {
        world_end(world, a, HUB_END_LOST);
        a = come_back(world, 1);
        EXPECT_HEARD(back_in_tea(1, ""), a);
    }
    conn_id b = world_open(world);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 60000), b);
    world_free(world);
}

TEST(who_has_come_back_has_no_deadline_for_a_join)
{
    struct limits limits = world_calm_limits();
    limits.join_deadline_ms = 10000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    world_end(world, a, HUB_END_LOST);
    a = come_back(world, 1);
    EXPECT_HEARD(back_in_tea(1, ""), a);
    world_wait(world, 20000);
    EXPECT_QUIET();
    world_free(world);
}

TEST(refusing_joins_refuses_nobody_who_comes_back)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_open(world);

    hub_refuse_joins(world->hub, true);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(error_of(ERR_HUB_FULL), b);
    world_end(world, a, HUB_END_LOST);
    a = come_back(world, 1);
    EXPECT_HEARD(back_in_tea(1, ""), a);
    hub_refuse_joins(world->hub, false);
    world_say_join(world, b, "tea");
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

TEST(a_hub_that_ends_with_held_seats_and_messages_frees_them)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_end(world, b, HUB_END_LOST);
    world_say_signal(world, a, 2, "1");
    EXPECT(world->metrics.values[METRIC_BACKLOG_BYTES] > 0);
    world_drop(world); /* LeakSanitizer has the last word */
}
