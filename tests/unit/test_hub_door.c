/* hub: locked rooms and those who knock; what may be said when; fresh ICE servers. */
#include "world.h"

#include <stdio.h>

#define LEAVE       "{\"type\":\"LeaveRoom\"}"
#define ICE         "{\"type\":\"RefreshIceServers\"}"
#define ICE_SERVERS "{\"type\":\"IceServers\",\"iceServers\":[]}"

static void say_admit(struct world *world, conn_id from, unsigned peer)
{
    world_say(world, from, "{\"type\":\"Admit\",\"peerId\":\"%s\"}", peer_id(peer));
}

static void say_deny(struct world *world, conn_id from, unsigned peer)
{
    world_say(world, from, "{\"type\":\"Deny\",\"peerId\":\"%s\"}", peer_id(peer));
}

static const char *joined_tea(unsigned n, const char *others, bool locked)
{
    return room_rejoined("tea", n, others, false, locked, WORLD_PROCESS);
}

/* "tea", locked by its one member, who is peer 1. */
static conn_id make_locked(struct world *world)
{
    conn_id a = world_join(world, "tea");

    world_say_lock(world, a, true);
    world_forget(world);
    return a;
}

/* A new connection at the door of "tea"; what was said of it is forgotten. */
static conn_id make_knock(struct world *world)
{
    return world_join(world, "tea");
}

/* ---- locking ---- */

TEST(locking_is_told_to_all_the_sender_too_and_also_when_nothing_changes)
{
    static const bool rows[] = {false, true, true, false, false};
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");
    conn_id elsewhere = world_join(world, "coffee");

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        world_say_lock(world, i % 2 ? b : a, rows[i]);
        EXPECT_HEARD(room_locked(1 + i % 2, rows[i]), a);
        EXPECT_HEARD(room_locked(1 + i % 2, rows[i]), b);
        EXPECT_HEARD(room_locked(1 + i % 2, rows[i]), c);
        EXPECT_QUIET();
    }
    (void)elsewhere;
    world_free(world);
}

TEST(a_lock_costs_as_much_as_a_join)
{
    struct limits limits = world_calm_limits();
    limits.messages = (struct bucket_rate){60, 10};
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    world_say_lock(world, a, true);
    EXPECT_HEARD(room_locked(1, true), a);
    world_say_lock(world, a, false);
    EXPECT(
        str_starts_with(world_take(world, a), STR("{\"type\":\"Error\",\"code\":\"rate-limited")));
    EXPECT_QUIET();
    world_free(world);
}

TEST(an_unlocked_room_is_as_if_it_had_never_been_locked)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = world_open(world);

    world_say_lock(world, a, false);
    world_forget(world);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(joined_tea(2, participant(1), false), b);
    EXPECT_HEARD(user_joined(2), a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_room_of_that_name_that_comes_later_is_not_locked)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = world_open(world);

    world_end(world, a, HUB_END_GOODBYE);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(joined_tea(2, "", false), b);
    world_free(world);
}

TEST(a_lock_locks_one_room)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id b = world_open(world);

    make_locked(world);
    world_say_join(world, b, "tea-");
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_QUIET();
    world_free(world);
}

/* ---- knocking ---- */

TEST(who_comes_to_a_locked_room_waits_and_each_member_hears_the_knock)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world),
            d = world_open(world);

    world_say_lock(world, b, true);
    world_forget(world);
    world_say(
        world, c,
        "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Mele \\\"\",\"hello\":{\"a\":1}}");
    const char *named =
        fmt("{\"type\":\"Knock\",\"peerId\":\"%s\",\"name\":\"Mele \\\"\"}", peer_id(3));
    EXPECT_HEARD(WAITING, c);
    EXPECT_HEARD(named, a);
    EXPECT_HEARD(named, b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 1);
    world_say_join(world, d, "tea");
    EXPECT_HEARD(WAITING, d);
    EXPECT_HEARD(knocked(4), a); /* and 3 hears nothing of it */
    EXPECT_HEARD(knocked(4), b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 2);
    EXPECT_UINT(2, world->metrics.values[METRIC_JOINS_TOTAL]);
    world_free(world);
}

TEST(who_knocks_is_no_member)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = make_knock(world);

    world_say_signal(world, a, 2, "1");
    EXPECT_HEARD(error_about(ERR_UNKNOWN_PEER, peer_id(2), 0), a);
    world_say_lock(world, a, true);
    EXPECT_HEARD(room_locked(1, true), a);
    EXPECT_QUIET();
    conn_id c = world_open(world);
    world_say_resume(world, c, "tea", 2, WORLD_PROCESS); /* nor has it a token */
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), c);
    say_admit(world, a, 2);
    EXPECT_HEARD(knock_ended(2), a);
    EXPECT_HEARD(user_joined(2), a);
    EXPECT_HEARD(joined_tea(2, participant(1), true), b);
    EXPECT_QUIET();
    world_free(world);
}

TEST(whom_a_member_admits_joins_with_name_and_hello)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world);

    world_say_lock(world, a, true);
    world_say(world, c,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Mele\",\"hello\":[ 1,\t2 ]}");
    world_forget(world);
    say_admit(world, b, 3);
    EXPECT_HEARD(joined_tea(3, fmt("%s,%s", participant(1), participant(2)), true), c);
    const char *told = fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\",\"name\":\"Mele\","
                           "\"hello\":[ 1,\t2 ]}",
                           peer_id(3));
    EXPECT_HEARD(knock_ended(3), a);
    EXPECT_HEARD(told, a);
    EXPECT_HEARD(knock_ended(3), b);
    EXPECT_HEARD(told, b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 3, 0, 0);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    EXPECT_UINT(3, world->metrics.values[METRIC_JOINS_TOTAL]);

    say_admit(world, a, 3); /* the other one was faster */
    EXPECT_HEARD(error_about(ERR_UNKNOWN_PEER, peer_id(3), 0), a);
    world_say_signal(world, c, 1, "1");
    EXPECT_HEARD(relayed(3, "1"), a);
    world_end(world, c, HUB_END_LOST); /* a seat as any other */
    conn_id again = world_open(world);
    world_say_resume(world, again, "tea", 3, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 3, fmt("%s,%s", participant(1), participant(2)), true, true,
                               WORLD_PROCESS),
                 again);
    EXPECT_QUIET();
    world_free(world);
}

TEST(who_is_denied_hears_room_locked_and_may_knock_again)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = world_join(world, "coffee"), c = world_open(world);

    for (unsigned n = 3; n < 6; n++) {
        world_say_join(world, c, "tea");
        EXPECT_HEARD(WAITING, c);
        EXPECT_HEARD(knocked(n), a);
        say_deny(world, a, n);
        EXPECT_HEARD(knock_ended(n), a);
        EXPECT_HEARD(error_of(ERR_ROOM_LOCKED), c);
        EXPECT_QUIET();
        EXPECT_GAUGES(2, 2, 0, 0);
        EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    }
    world_say_join(world, c, "coffee");
    EXPECT_HEARD(user_joined(6), b);
    world_free(world);
}

TEST(only_one_who_knocks_at_this_room_is_admitted_or_denied)
{
    static const char *const types[] = {"Admit", "Deny"};
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), other = world_join(world, "coffee");

    world_say_lock(world, other, true);
    world_join(world, "coffee"); /* 3 knocks there */
    world_forget(world);
    for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
        for (unsigned n = 1; n <= 4; n++) { /* oneself, a member, a knock elsewhere, nobody */
            world_say(world, a, "{\"type\":\"%s\",\"peerId\":\"%s\"}", types[t], peer_id(n));
            EXPECT_HEARD(error_about(ERR_UNKNOWN_PEER, peer_id(n), 0), a);
        }
        world_say(world, a, "{\"type\":\"%s\",\"peerId\":\"\"}", types[t]);
        EXPECT_HEARD(error_of(ERR_UNKNOWN_PEER), a);
        world_say(world, a, "{\"type\":\"%s\",\"peerId\":\"<b>\"}", types[t]);
        EXPECT_HEARD(error_of(ERR_UNKNOWN_PEER), a);
        world_say(world, a, "{\"type\":\"%s\",\"peerId\":\"%s0\"}", types[t], peer_id(3));
        EXPECT_HEARD(error_of(ERR_UNKNOWN_PEER), a);
    }
    EXPECT_QUIET();
    EXPECT_GAUGES(2, 2, 0, 1);
    world_free(world);
}

TEST(who_goes_away_from_the_door_takes_the_knock_back)
{
    static const enum {
        BY_LEAVE,
        BY_GOODBYE,
        BY_LOSS,
        BY_REMOVAL,
        BY_OUR_CLOSE,
        BY_SILENCE,
        WAYS
    } ways[] = {BY_LEAVE, BY_GOODBYE, BY_LOSS, BY_REMOVAL, BY_OUR_CLOSE, BY_SILENCE};
    struct limits limits = world_calm_limits();
    limits.gone_after_ms = 5000;

    for (size_t i = 0; i < WAYS; i++) {
        struct world *world = world_new_limited(limits);
        conn_id a = world_join(world, "tea"), away = world_join(world, "tea"),
                c = world_open(world);
        world_say_lock(world, a, true);
        world_end(world, away, HUB_END_LOST);
        world_say(world, c, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":1}");
        world_forget(world);
        switch (ways[i]) {
        case BY_LEAVE:
            world_say(world, c, LEAVE);
            break;
        case BY_OUR_CLOSE:
            hub_receive(world->hub, c, STR("\xff"), world->now_ms);
            EXPECT_HEARD("close 1007", c);
            break;
        case BY_SILENCE:
            for (int s = 0; s < 5; s++) {
                hub_heard(world->hub, a, world->now_ms);
                world_wait(world, 1000);
            }
            EXPECT_HEARD("close 1012", c);
            break;
        default:
            world_end(world, c,
                      ways[i] == BY_GOODBYE ? HUB_END_GOODBYE
                      : ways[i] == BY_LOSS  ? HUB_END_LOST
                                            : HUB_END_REMOVED);
        }
        EXPECT_HEARD(knock_ended(3), a);
        EXPECT_QUIET();
        EXPECT_GAUGES(1, 2, 1, 0);
        say_admit(world, a, 3);
        EXPECT_HEARD(error_about(ERR_UNKNOWN_PEER, peer_id(3), 0), a);
        if (ways[i] == BY_LEAVE) {
            world_say_join(world, c, "tea");
            EXPECT_HEARD(WAITING, c);
            EXPECT_HEARD(knocked(4), a);
        }
        world_free(world);
    }
}

TEST(as_many_may_knock_as_a_room_has_seats)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 3;
    struct world *world = world_new_limited(limits);
    conn_id a = make_locked(world), first = make_knock(world);

    make_knock(world);
    make_knock(world);
    conn_id late = world_open(world);
    world_say_join(world, late, "tea");
    EXPECT_HEARD(error_of(ERR_ROOM_FULL), late);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 3);
    world_say(world, first, LEAVE);
    world_forget(world);
    world_say_join(world, late, "tea");
    EXPECT_HEARD(WAITING, late);
    EXPECT_HEARD(knocked(world->peers_made), a);
    world_free(world);
}

TEST(at_a_full_room_nobody_may_knock)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 2;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), late = world_open(world);

    world_say_lock(world, a, true);
    world_forget(world);
    world_say_join(world, late, "tea");
    EXPECT_HEARD(error_of(ERR_ROOM_FULL), late);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);
    (void)b;
    world_free(world);
}

TEST(when_the_room_has_filled_meanwhile_the_knock_stays)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 2;
    struct world *world = world_new_limited(limits);
    conn_id a = make_locked(world), b = make_knock(world), c = make_knock(world);

    say_admit(world, a, 2);
    world_forget(world);
    say_admit(world, b, 3); /* who has just come in may say so too */
    EXPECT_HEARD(error_about(ERR_ROOM_FULL, peer_id(3), 0), b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 1);
    world_say(world, b, LEAVE);
    world_forget(world);
    say_admit(world, a, 3);
    EXPECT_HEARD(joined_tea(3, participant(1), true), c);
    EXPECT_HEARD(knock_ended(3), a);
    EXPECT_HEARD(user_joined(3), a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(who_is_admitted_hears_who_else_knocks)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = make_knock(world), c = make_knock(world),
            d = make_knock(world);

    say_admit(world, a, 3);
    EXPECT_HEARD(joined_tea(3, participant(1), true), c);
    EXPECT_HEARD(knocked(2), c);
    EXPECT_HEARD(knocked(4), c);
    EXPECT_HEARD("", b);
    EXPECT_HEARD("", d);
    world_forget(world);
    say_deny(world, c, 4);
    EXPECT_HEARD(knock_ended(4), a);
    EXPECT_HEARD(knock_ended(4), c);
    EXPECT_HEARD(error_of(ERR_ROOM_LOCKED), d);
    EXPECT_QUIET();
    world_free(world);
}

TEST(unlocking_lets_all_in_in_the_order_of_their_knocks)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = make_knock(world), c = make_knock(world),
            d = make_knock(world);

    world_say(world, c, LEAVE);
    world_say_join(world, c, "tea"); /* 5, now the last */
    world_forget(world);
    world_say_lock(world, a, false);
    EXPECT_HEARD(room_locked(1, false), a);
    static const unsigned order[] = {2, 4, 5};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        EXPECT_HEARD(knock_ended(order[i]), a);
        EXPECT_HEARD(user_joined(order[i]), a);
    }
    EXPECT_HEARD(joined_tea(2, participant(1), false), b);
    EXPECT_HEARD(knocked(4), b); /* still at the door at that moment */
    EXPECT_HEARD(knocked(5), b);
    EXPECT_HEARD(knock_ended(4), b);
    EXPECT_HEARD(user_joined(4), b);
    EXPECT_HEARD(knock_ended(5), b);
    EXPECT_HEARD(user_joined(5), b);
    EXPECT_HEARD(joined_tea(4, fmt("%s,%s", participant(1), participant(2)), false), d);
    EXPECT_HEARD(knocked(5), d);
    EXPECT_HEARD(knock_ended(5), d);
    EXPECT_HEARD(user_joined(5), d);
    EXPECT_HEARD(joined_tea(5, fmt("%s,%s,%s", participant(1), participant(2), participant(4)),
                            false),
                 c);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 4, 0, 0);
    world_free(world);
}

TEST(unlocking_lets_in_as_many_as_there_are_seats_and_the_others_hear_room_full)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 3;
    struct world *world = world_new_limited(limits);
    conn_id a = make_locked(world), b = make_knock(world), c = make_knock(world),
            d = make_knock(world);

    world_say_lock(world, a, false);
    EXPECT_HEARD(joined_tea(2, participant(1), false), b);
    EXPECT_HEARD(joined_tea(3, fmt("%s,%s", participant(1), participant(2)), false), c);
    EXPECT_HEARD(error_of(ERR_ROOM_FULL), d);
    EXPECT_HEARD(room_locked(1, false), a);
    for (unsigned n = 2; n <= 4; n++) {
        EXPECT_HEARD(knock_ended(n), a);
        if (n < 4)
            EXPECT_HEARD(user_joined(n), a);
    }
    EXPECT_HEARD("", a);
    EXPECT_GAUGES(1, 3, 0, 0);
    world_say(world, b, LEAVE);
    world_forget(world);
    world_say_join(world, d, "tea");
    EXPECT_HEARD(joined_tea(5, fmt("%s,%s", participant(1), participant(3)), false), d);
    world_free(world);
}

TEST(when_the_last_member_leaves_those_who_wait_come_in)
{
    static const enum hub_end ends[] = {HUB_END_GOODBYE, HUB_END_REMOVED};

    for (size_t i = 0; i <= ARRAY_SIZE(ends); i++) {
        struct world *world = world_new_limited(world_calm_limits());
        conn_id a = make_locked(world), b = make_knock(world), c = make_knock(world);
        if (i < ARRAY_SIZE(ends))
            world_end(world, a, ends[i]);
        else
            world_say(world, a, LEAVE);
        EXPECT_HEARD(joined_tea(2, "", false), b);
        EXPECT_HEARD(knocked(3), b);
        EXPECT_HEARD(knock_ended(3), b);
        EXPECT_HEARD(user_joined(3), b);
        EXPECT_HEARD(joined_tea(3, participant(2), false), c);
        EXPECT_QUIET();
        EXPECT_GAUGES(1, 2, 0, 0);
        world_free(world);
    }
}

TEST(while_one_of_several_members_leaves_the_door_stays_shut)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world);

    world_say_lock(world, a, true);
    world_say_join(world, c, "tea");
    world_forget(world);
    world_say(world, a, LEAVE); /* who locked it need not stay */
    EXPECT_HEARD(user_left(1, "left"), b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 1);
    world_free(world);
}

/* ---- the door and those who are away ---- */

TEST(a_member_who_is_away_keeps_the_room_locked)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = world_open(world);

    world_end(world, a, HUB_END_LOST);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(WAITING, b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 1, 1);
    conn_id again = world_open(world);
    world_say_resume(world, again, "tea", 1, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 1, "", true, true, WORLD_PROCESS), again);
    EXPECT_HEARD(knocked(2), again);
    EXPECT_QUIET();
    say_admit(world, again, 2);
    EXPECT_HEARD(joined_tea(2, participant(1), true), b);
    world_free(world);
}

TEST(who_comes_back_hears_who_knocks_now_and_nothing_of_what_is_over)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say_lock(world, a, true);
    conn_id early = make_knock(world); /* 3 */
    world_end(world, b, HUB_END_LOST);
    make_knock(world);                 /* 4 */
    conn_id third = make_knock(world); /* 5 */
    world_say(world, third, LEAVE);
    world_say_signal(world, a, 2, "1");
    say_admit(world, a, 4);
    make_knock(world); /* 6 */
    world_forget(world);
    conn_id again = world_open(world);
    world_say_resume(world, again, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 2, fmt("%s,%s", participant(1), participant(4)), true, true,
                               WORLD_PROCESS),
                 again);
    EXPECT_HEARD(knocked(3), again); /* anew, though he knew: the list begins again */
    EXPECT_HEARD(knocked(6), again);
    EXPECT_HEARD(relayed(1, "1"), again);
    EXPECT_QUIET();
    (void)early;
    world_free(world);
}

TEST(when_the_last_held_seat_is_given_up_those_who_wait_come_in)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = make_locked(world), b = world_open(world), c = world_open(world);

    world_end(world, a, HUB_END_LOST);
    world_say_join(world, b, "tea");
    world_say_join(world, c, "tea");
    world_forget(world);
    world_wait(world, 29999);
    EXPECT_QUIET();
    world_wait(world, 1);
    EXPECT_HEARD(joined_tea(2, "", false), b);
    EXPECT_HEARD(joined_tea(3, participant(2), false), c);
    EXPECT_GAUGES(1, 2, 0, 0);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_free(world);
}

TEST(who_waits_at_the_door_may_wait_longer_than_a_join_may_take)
{
    struct limits limits = world_calm_limits();
    limits.join_deadline_ms = 10000;
    struct world *world = world_new_limited(limits);

    make_locked(world);
    conn_id b = make_knock(world);
    world_wait(world, 60000);
    EXPECT_QUIET();
    world_say(world, b, LEAVE);
    world_wait(world, 60000);
    EXPECT_HEARD(knock_ended(2), world->opened[0]);
    EXPECT_QUIET();
    world_free(world);
}

/* ---- what a knock may cost ---- */

TEST(the_hello_of_a_knock_is_kept_and_counted)
{
    struct limits limits = world_calm_limits();
    limits.backlogs_size_max = 30;
    struct world *world = world_new_limited(limits);
    conn_id a = make_locked(world), b = world_open(world), c = world_open(world);

    world_say(world, b,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":12345678901234567890}");
    EXPECT_HEARD(WAITING, b);
    EXPECT_UINT(20, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say(world, c, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":12345678901}");
    EXPECT_HEARD(error_of(ERR_HUB_FULL), c);
    EXPECT_GAUGES(1, 1, 0, 1);
    world_say(world, c, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":1234567890}");
    EXPECT_HEARD(WAITING, c);
    EXPECT_UINT(30, world->metrics.values[METRIC_BACKLOG_BYTES]);
    say_deny(world, a, 2);
    EXPECT_UINT(10, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_say(world, c, LEAVE);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_free(world);
}

TEST(a_knock_is_a_join_of_the_address)
{
    struct limits limits = world_calm_limits();
    limits.joins = (struct bucket_rate){1, 2};
    struct world *world = world_new_limited(limits);

    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    make_locked(world);
    conn_id b = world_open(world);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(WAITING, b);
    world_say(world, b, LEAVE);
    world_forget(world);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 60000), b);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_hub_that_refuses_joins_hears_no_knock)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id b = world_open(world);

    make_locked(world);
    hub_refuse_joins(world->hub, true);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(error_of(ERR_HUB_FULL), b);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_hub_that_ends_with_knocks_and_hellos_frees_them)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id b = world_open(world);

    make_locked(world);
    world_say(world, b, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":[1,2,3]}");
    EXPECT_UINT(7, world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_drop(world); /* LeakSanitizer has the last word */
}

/* ---- what may be said when ---- */

enum state { FRESH, KNOCKING, JOINED, LEFT, DENIED, CLOSING, STATES };

static conn_id make_state(struct world *world, enum state state)
{
    conn_id member = make_locked(world), conn;

    if (state == FRESH)
        return world_open(world);
    if (state == JOINED || state == CLOSING) {
        conn = make_knock(world);
        say_admit(world, member, 2);
        if (state == CLOSING)
            hub_receive(world->hub, conn, STR("\xff"), world->now_ms);
    } else if (state == LEFT) {
        conn = world_join(world, "coffee");
        world_say(world, conn, LEAVE);
    } else {
        conn = make_knock(world);
        if (state == DENIED)
            say_deny(world, member, 2);
    }
    world_forget(world);
    return conn;
}

TEST(each_type_is_answered_in_each_state_as_the_protocol_has_it)
{
#define IS_ERROR(code) "{\"type\":\"Error\",\"code\":\"" code "\""
    static const char none[] = IS_ERROR("not-in-room"), already[] = IS_ERROR("already-in-room"),
                      nobody[] = IS_ERROR("unknown-peer"), waits[] = WAITING;
    static const struct {
        const char *text;
        const char *answers[STATES]; /* how they begin */
    } rows[MESSAGE_TYPE_COUNT] = {
        [MESSAGE_JOIN_ROOM] = {"{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}",
                               {waits, already, already, waits, waits, ""}},
        [MESSAGE_SIGNAL] = {"{\"type\":\"Signal\",\"peerId\":\"x\",\"message\":1}",
                            {none, none, nobody, none, none, ""}},
        [MESSAGE_LEAVE_ROOM] = {LEAVE, {none, "", "", none, none, ""}},
        [MESSAGE_LOCK_ROOM] = {"{\"type\":\"LockRoom\",\"locked\":true}",
                               {none, none, "{\"type\":\"RoomLocked\"", none, none, ""}},
        [MESSAGE_ADMIT] = {"{\"type\":\"Admit\",\"peerId\":\"x\"}",
                           {none, none, nobody, none, none, ""}},
        [MESSAGE_DENY] = {"{\"type\":\"Deny\",\"peerId\":\"x\"}",
                          {none, none, nobody, none, none, ""}},
        [MESSAGE_REFRESH_ICE_SERVERS] = {ICE, {none, none, ICE_SERVERS, none, none, ""}},
    };

    for (int type = 0; type < MESSAGE_TYPE_COUNT; type++) {
        for (int state = 0; state < STATES; state++) {
            struct world *world = world_new_limited(world_calm_limits());
            conn_id conn = make_state(world, (enum state)state);
            world_say(world, conn, "%s", rows[type].text);
            struct str answer = world_take(world, conn);
            const char *wanted = rows[type].answers[state];
            EXPECT_THAT(wanted[0] ? str_starts_with(answer, str_of(wanted)) : answer.size == 0,
                        "%s in state %d: wanted \"%s\", got \"%.*s\"",
                        message_type_name((enum message_type)type), state, wanted, (int)answer.size,
                        answer.text);
            EXPECT_HEARD("", conn);
            world_free(world);
        }
    }
}

/* ---- ICE servers ---- */

TEST(fresh_ice_servers_come_six_times_a_minute)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < LIMIT_ICE_PER_MINUTE; i++) {
        world_say(world, a, ICE);
        EXPECT_HEARD(ICE_SERVERS, a);
    }
    world_say(world, a, ICE);
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 10000), a);
    world_say(world, b, ICE); /* each connection has its own rate */
    EXPECT_HEARD(ICE_SERVERS, b);
    world_wait(world, 9999);
    world_say(world, a, ICE);
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 1), a);
    world_wait(world, 1);
    world_say(world, a, ICE);
    EXPECT_HEARD(ICE_SERVERS, a);
    world_say(world, a, ICE);
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 10000), a);
    EXPECT_QUIET();
    world_free(world);
}
