/* hub: bad messages, floods, silence and time. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN      "{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}"
#define SIGNAL_TO "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":1}"

static const char *rate_limited(unsigned wait_ms)
{
    return fmt(
        "{\"type\":\"Error\",\"code\":\"rate-limited\",\"message\":\"%s\",\"retryAfterMs\":%u}",
        err_text(ERR_RATE_LIMITED), wait_ms);
}

/* ---- messages that are none ---- */

TEST(ten_bad_messages_close_the_connection_and_nine_do_not)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < LIMIT_BAD_MESSAGES_MAX - 1; i++) {
        world_say(world, b, "{");
        EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, b));
        EXPECT(world_is_quiet(world));
    }
    world_say(world, b, "{");
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, b));
    EXPECT_STR("close 1008", world_take(world, b));
    EXPECT_STR(user_left(2, "removed"), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(other_errors_never_close_the_connection)
{
    struct limits limits = world_limits();
    limits.messages = limits.joins = (struct bucket_rate){0, 0};
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    for (int i = 0; i < 100; i++) {
        world_say(world, a, "{\"type\":\"Knock\"}");
        EXPECT_STR(error_of(ERR_UNKNOWN_TYPE), world_take(world, a));
        world_say(world, a, JOIN);
        EXPECT_STR(error_of(ERR_ALREADY_IN_ROOM), world_take(world, a));
        world_say(world, a, SIGNAL_TO, "x");
        EXPECT_STR(error_of(ERR_UNKNOWN_PEER), world_take(world, a));
    }
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(what_is_no_utf8_closes_with_1007_and_no_error)
{
    static const struct str rows[] = {
        ROW_STR("\xff"),
        ROW_STR("{\"type\":\"LeaveRoom\",\"x\":\"\xc0\xaf\"}"),
        ROW_STR("{\"type\":\"LeaveRoom\",\"x\":\"\xed\xa0\x80\"}"),
        ROW_STR("{\"type\":\"LeaveRoom\",\"x\":\"\xf0\x9f\x8c"),
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_new();
        conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
        hub_receive(world->hub, b, rows[i], world->now_ms);
        EXPECT_STR("close 1007", world_take(world, b));
        EXPECT_STR(user_left(2, "removed"), world_take(world, a));
        EXPECT(world_is_quiet(world));
        world_free(world);
    }
}

TEST(an_empty_message_is_a_bad_one)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    hub_receive(world->hub, a, STR(""), world->now_ms);
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, a));
    hub_receive(world->hub, a, (struct str){NULL, 0}, world->now_ms);
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, a));
    world_free(world);
}

TEST(after_our_close_nothing_is_heard_and_nothing_is_said)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    hub_receive(world->hub, b, STR("\xff"), world->now_ms);
    world_forget(world);
    world_say(world, b, JOIN);
    world_say(world, b, "{");
    hub_receive(world->hub, b, STR("\xff"), world->now_ms);
    world_say(world, a, SIGNAL_TO, peer_id(2));
    EXPECT(
        str_starts_with(world_take(world, a), STR("{\"type\":\"Error\",\"code\":\"unknown-peer")));
    for (int i = 0; i < 100; i++) {
        hub_heard(world->hub, a, world->now_ms);
        world_wait(world, 1000);
    }
    EXPECT_STR("", world_take(world, b));
    EXPECT_UINT(2, world->metrics.values[METRIC_WEBSOCKETS]);

    hub_closed(world->hub, b, HUB_END_REMOVED, world->now_ms);
    EXPECT(world_is_quiet(world)); /* the others were told when we closed it */
    EXPECT_UINT(1, world->metrics.values[METRIC_WEBSOCKETS]);
    EXPECT_UINT(1, world->metrics.values[METRIC_PEERS]);
    world_free(world);
}

/* ---- rates ---- */

/* A world where 10 messages may come at once and one each second. */
static struct world *slow_world(void)
{
    struct limits limits = world_limits();
    limits.messages = (struct bucket_rate){60, 10};
    return world_new_limited(limits);
}

TEST(messages_over_the_rate_are_dropped_and_the_sender_is_told_once_a_second)
{
    struct world *world = slow_world();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"); /* 5 tokens are left */

    for (int i = 0; i < 5; i++) {
        world_say(world, a, SIGNAL_TO, peer_id(2));
        EXPECT_STR(relayed(1, "1"), world_take(world, b));
    }
    world_say(world, a, SIGNAL_TO, peer_id(2));
    EXPECT_STR(rate_limited(1000), world_take(world, a));
    for (int i = 0; i < 20; i++)
        world_say(world, a, SIGNAL_TO, peer_id(2));
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(21, world->metrics.drops[DROP_RATE]);
    EXPECT_UINT(21, world->metrics.messages[MESSAGE_UNKNOWN][VERDICT_DROPPED]);

    world->now_ms += 1000;
    world_say(world, a, SIGNAL_TO, peer_id(2));
    EXPECT_STR(relayed(1, "1"), world_take(world, b));
    world_say(world, a, SIGNAL_TO, peer_id(2));
    EXPECT_STR(rate_limited(1000), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(one_flood_costs_another_connection_nothing)
{
    struct world *world = slow_world();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < 100; i++)
        world_say(world, a, SIGNAL_TO, peer_id(2));
    world_forget(world);
    for (int i = 0; i < 5; i++) {
        world_say(world, b, SIGNAL_TO, peer_id(1));
        EXPECT_STR(relayed(2, "1"), world_take(world, a));
    }
    world_free(world);
}

TEST(five_hundred_drops_in_ten_seconds_are_borne_and_one_more_is_not)
{
    struct world *world = slow_world();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < 5 + LIMIT_RATE_DROPS_MAX; i++)
        world_say(world, b, SIGNAL_TO, peer_id(1));
    world_forget(world);
    world_say(world, b, SIGNAL_TO, peer_id(1));
    EXPECT_STR("close 1008", world_take(world, b));
    EXPECT_STR(user_left(2, "removed"), world_take(world, a));
    world_free(world);
}

TEST(drops_are_forgotten_after_their_window)
{
    struct world *world = slow_world();
    conn_id a = world_join(world, "tea");

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LIMIT_RATE_DROPS_MAX - 50; i++)
            world_say(world, a, SIGNAL_TO, peer_id(9));
        for (int s = 0; s < 11; s++) {
            world_wait(world, 1000);
            hub_heard(world->hub, a, world->now_ms);
        }
    }
    for (struct str taken = world_take(world, a); taken.size; taken = world_take(world, a))
        EXPECT(!str_starts_with(taken, STR("close")));
    world_free(world);
}

TEST(a_flood_after_a_long_quiet_time_is_closed_as_well)
{
    struct limits limits = world_calm_limits();
    limits.messages = (struct bucket_rate){60, 10};
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    world_wait(world, 60000);
    for (int i = 0; i < 10 + LIMIT_RATE_DROPS_MAX; i++)
        world_say(world, a, SIGNAL_TO, peer_id(9));
    world_forget(world);
    world_say(world, a, SIGNAL_TO, peer_id(9));
    EXPECT_HEARD("close 1008", a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(bytes_have_a_rate_of_their_own)
{
    struct limits limits = world_limits();
    limits.bytes = (struct bucket_rate){60000, 1000};
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
    char filling[600];

    memset(filling, 'x', sizeof filling);
    filling[sizeof filling - 1] = '\0';
    world_say(world, a, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":\"%s\"}", peer_id(2),
              filling);
    EXPECT(world_take(world, b).size > sizeof filling);
    world_say(world, a, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":\"%s\"}", peer_id(2),
              filling);
    EXPECT(str_starts_with(world_take(world, a),
                           STR("{\"type\":\"Error\",\"code\":\"rate-limited\"")));
    EXPECT_STR("", world_take(world, b));
    world->now_ms += 1000;
    world_say(world, a, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":\"%s\"}", peer_id(2),
              filling);
    EXPECT(world_take(world, b).size > sizeof filling);
    world_free(world);
}

/* SECURITY R21: invalid input costs 5 tokens, a join 5. */
TEST(joins_and_bad_messages_cost_more_than_signals)
{
    struct world *world = slow_world();
    conn_id a = world_join(world, "tea");

    world_say(world, a, "{");
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, a));
    world_say(world, a, "{");
    EXPECT_STR(rate_limited(1000), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(a_join_that_cannot_be_paid_waits)
{
    struct world *world = slow_world();
    conn_id a = world_open(world);

    for (int i = 0; i < 6; i++)
        world_say(world, a, SIGNAL_TO, peer_id(9));
    world_forget(world);
    world_say(world, a, JOIN); /* 4 tokens are left, it costs 5 */
    EXPECT(str_starts_with(world_take(world, a),
                           STR("{\"type\":\"Error\",\"code\":\"rate-limited\"")));
    EXPECT_UINT(0, world->metrics.values[METRIC_PEERS]);
    world_wait(world, 5000);
    world_say(world, a, JOIN);
    EXPECT(str_starts_with(world_take(world, a), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

/* Says it, and again whenever it is told to; true when it got through: at the second try, or at the third when
 * the first was not even read. */
static bool obeys_and_gets_through(struct world *world, conn_id conn, const char *text)
{
    for (int tries = 0; tries < 3; tries++) {
        world_forget(world);
        world_say(world, conn, "%s", text);
        struct str answer = world_take(world, conn);
        const char *wait = memmem(answer.text, answer.size, "\"retryAfterMs\":", 15);
        if (!wait)
            return true;
        world_wait(world, strtoull(wait + 15, NULL, 10));
    }
    return false;
}

TEST(who_waits_as_long_as_he_is_told_gets_through_whatever_it_costs)
{
    static const char *const texts[] = {JOIN, "{\"type\":\"LockRoom\",\"locked\":true}",
                                        "{\"type\":\"RefreshIceServers\"}"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct limits limits = world_limits();
        limits.messages = (struct bucket_rate){60, 10};
        limits.joins = (struct bucket_rate){0, 0};
        struct world *world = world_new_limited(limits);
        conn_id a = i ? world_join(world, "tea") : world_open(world);
        for (int n = 0; n < 10; n++)
            world_say(world, a, SIGNAL_TO, "x");
        EXPECT_THAT(obeys_and_gets_through(world, a, texts[i]), "%s", texts[i]);
        world_free(world);
    }
}

TEST(who_waits_as_long_as_he_is_told_gets_through_however_long_it_is)
{
    static char text[60000];
    struct limits limits = world_limits();
    limits.bytes = (struct bucket_rate){60 * 1000, sizeof text};
    limits.gone_after_ms = 600000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    snprintf(text, sizeof text, "{\"type\":\"Signal\",\"peerId\":\"x\",\"message\":\"%0*d\"}",
             (int)sizeof text - 100, 0);
    EXPECT(obeys_and_gets_through(world, a, text));
    EXPECT(obeys_and_gets_through(world, a, text)); /* a minute later */
    world_free(world);
}

TEST(a_mesh_of_twelve_may_signal_all_at_once)
{
    struct world *world = world_new();
    conn_id last = 0;

    for (int i = 0; i < 12; i++)
        last = world_join(world, "tea");
    for (int i = 0; i < 250; i++)
        world_say(world, last, SIGNAL_TO, peer_id(1 + (unsigned)i % 11));
    EXPECT_UINT(0, world->metrics.drops[DROP_RATE]);
    EXPECT_UINT(0, world->metrics.errors[ERR_UNKNOWN_PEER]);
    world_free(world);
}

TEST(joins_of_one_address_have_a_rate_over_all_its_connections)
{
    struct limits limits = world_limits();
    limits.joins = (struct bucket_rate){30, 3};
    struct world *world = world_new_limited(limits);

    for (int i = 0; i < 4; i++)
        EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    for (int i = 0; i < 3; i++)
        world_join(world, "tea");
    conn_id d = world_open(world);
    world_say(world, d, JOIN);
    EXPECT_STR(rate_limited(2000), world_take(world, d));
    EXPECT(world_is_quiet(world));

    world->from++; /* from elsewhere it goes on */
    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    conn_id e = world_open(world);
    world_say(world, e, JOIN);
    EXPECT(str_starts_with(world_take(world, e), STR("{\"type\":\"RoomJoined\"")));

    world->now_ms += 2000;
    world_say(world, d, JOIN);
    EXPECT(str_starts_with(world_take(world, d), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

/* ---- time ---- */

TEST(who_does_not_join_in_time_is_closed_and_who_does_is_not)
{
    struct world *world = world_new();
    conn_id idle = world_open(world), joined = world_join(world, "tea");

    world_wait(world, 9000);
    EXPECT(world_is_quiet(world));
    hub_heard(world->hub, idle, world->now_ms); /* talking is not joining */
    world_say(world, idle, "{\"type\":\"JoinRoom\",\"roomId\":\"..\"}");
    world_take(world, idle);
    world_wait(world, 1000);
    EXPECT_STR("close 4000", world_take(world, idle));
    EXPECT_STR("", world_take(world, joined));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(who_has_left_a_room_has_no_deadline_for_the_next)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    world_say(world, a, "{\"type\":\"LeaveRoom\"}");
    for (int i = 0; i < 60; i++) {
        world_wait(world, 1000);
        hub_heard(world->hub, a, world->now_ms);
    }
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(silence_is_pinged_once_and_then_counts_as_a_loss)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < 19; i++) {
        world_wait(world, 1000);
        hub_heard(world->hub, a, world->now_ms);
    }
    EXPECT(world_is_quiet(world));
    for (int i = 19; i < 44; i++) {
        world_wait(world, 1000);
        hub_heard(world->hub, a, world->now_ms);
    }
    EXPECT_STR("ping", world_take(world, b));
    EXPECT(world_is_quiet(world));
    world_wait(world, 1000);
    EXPECT_STR(fmt("close %u", close_code(CLOSE_SILENT)), world_take(world, b));
    EXPECT(world_is_quiet(world)); /* nobody is told: its seat is held */
    EXPECT_UINT(1, world->metrics.values[METRIC_SEATS_HELD]);
    world_free(world);
}

TEST(silence_is_counted_from_the_very_moment_of_the_last_sound)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    world->now_ms += 1999; /* between two ticks */
    hub_heard(world->hub, a, world->now_ms);
    world_wait(world, 19999);
    EXPECT_QUIET();
    world_wait(world, 1);
    EXPECT_HEARD("ping", a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_pong_begins_a_new_silence)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    for (int i = 0; i < 5; i++) {
        world_wait(world, 20000);
        EXPECT_STR("ping", world_take(world, a));
        EXPECT(world_is_quiet(world));
        hub_heard(world->hub, a, world->now_ms);
    }
    world_free(world);
}

TEST(a_stop_of_five_seconds_times_nobody_out)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), idle = world_open(world);

    world_wait(world, 7000);
    world->now_ms += 5000; /* the process was stopped; the pongs and joins are still unread */
    hub_tick(world->hub, world->now_ms);
    EXPECT(world_is_quiet(world));
    world_say(world, idle, JOIN);
    EXPECT(str_starts_with(world_take(world, idle), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_STR(user_joined(2), world_take(world, a));

    world->now_ms += 3600000; /* a laptop has slept for an hour */
    hub_tick(world->hub, world->now_ms);
    EXPECT(world_is_quiet(world));
    world_free(world);
}

/* SECURITY, "loop stall": nobody is wrongly timed out. */
TEST(a_stop_just_before_a_deadline_times_nobody_out_either)
{
    struct world *world = world_new();
    conn_id idle = world_open(world);

    world_wait(world, 9000);
    world->now_ms += 5000;
    hub_tick(world->hub, world->now_ms); /* a timer comes before the sockets are read */
    EXPECT(world_is_quiet(world));
    world_say(world, idle, JOIN);
    EXPECT(str_starts_with(world_take(world, idle), STR("{\"type\":\"RoomJoined\"")));

    world_wait(world, 44000);
    EXPECT_STR("ping", world_take(world, idle));
    world->now_ms += 5000;
    hub_tick(world->hub, world->now_ms);
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(after_a_stop_deadlines_still_come)
{
    struct world *world = world_new();
    conn_id idle = world_open(world);

    world_wait(world, 1000);
    world->now_ms += 60000;
    hub_tick(world->hub, world->now_ms);
    world_wait(world, 10000);
    EXPECT_STR("close 4000", world_take(world, idle));
    world_free(world);
}

TEST(a_time_that_goes_backwards_changes_nothing)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    world_wait(world, 5000);
    hub_tick(world->hub, 0);
    hub_heard(world->hub, a, 1);
    hub_receive(world->hub, a, STR("{\"type\":\"LeaveRoom\"}"), 2);
    conn_id b = world->opened[1] = hub_open(world->hub, world->from, 3);
    EXPECT_UINT(1, (uint32_t)b);
    world_say(world, b, JOIN);
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(the_hub_sweeps_the_addresses_now_and_then)
{
    struct world *world = world_new();

    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    admission_disconnect(world->admission, world->from, world->now_ms);
    EXPECT_UINT(1, admission_count(world->admission));
    world_wait(world, 60000);
    EXPECT_UINT(0, admission_count(world->admission));
    world_free(world);
}
