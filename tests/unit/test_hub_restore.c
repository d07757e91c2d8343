/* hub: peers that come with the token of an earlier process, and tokens that nobody was given. Rule 7 of
 * docs/protocol.md.
 *
 * The process before was WORLD_PROCESS; what it knew is not there. Peers below 100 come from it, those that
 * join here are 101 and on. */
#include "world.h"

#include <stdio.h>

enum { BEFORE = WORLD_PROCESS, NOW = WORLD_PROCESS + 1 };

#define LEAVE  "{\"type\":\"LeaveRoom\"}"
#define RESUME "{\"type\":\"JoinRoom\",\"roomId\":\"%s\",\"resumeToken\":\"%s\"}"

static struct world *world_after_limited(struct limits limits)
{
    struct world *world = world_new_process(limits, NOW);

    world->peers_made = 100;
    return world;
}

static struct world *world_after(void)
{
    return world_after_limited(world_calm_limits());
}

/* A new connection takes the seat that it had in "tea" before. */
static conn_id restore(struct world *world, unsigned n)
{
    conn_id conn = world_open(world);

    world_say_resume(world, conn, "tea", n, BEFORE);
    return conn;
}

static const char *back_in_tea(unsigned n, const char *others)
{
    return room_rejoined("tea", n, others, true, false, NOW);
}

static const char *offered(unsigned peer)
{
    return fmt("{\"peerId\":\"%s\",\"offers\":true}", peer_id(peer));
}

/* ---- after a restart ---- */

TEST(those_who_were_together_are_together_again_and_hear_nothing)
{
    struct world *world = world_after();
    conn_id a = restore(world, 1), b = restore(world, 2), c = restore(world, 3);

    EXPECT_HEARD(back_in_tea(1, ""), a);
    EXPECT_HEARD(back_in_tea(2, participant(1)), b);
    EXPECT_HEARD(back_in_tea(3, fmt("%s,%s", participant(1), participant(2))), c);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 3, 0, 0);
    EXPECT_UINT(3, world->metrics.values[METRIC_RESUMES]);
    EXPECT_UINT(0, world->metrics.values[METRIC_JOINS_TOTAL]);
    world_say_signal(world, a, 3, "1");
    EXPECT_HEARD(relayed(1, "1"), c);
    world_free(world);
}

TEST(who_joined_here_hears_of_the_restored_and_makes_the_offer)
{
    struct world *world = world_after();
    conn_id fresh = world_join(world, "tea");
    conn_id a = restore(world, 1);

    EXPECT_HEARD(back_in_tea(1, offered(101)), a);
    EXPECT_HEARD(user_joined(1), fresh);
    conn_id b = restore(world, 2);
    EXPECT_HEARD(back_in_tea(2, fmt("%s,%s", offered(101), participant(1))), b);
    EXPECT_HEARD(user_joined(2), fresh);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_restored_peers_name_and_hello_reach_those_who_do_not_know_him)
{
    struct world *world = world_after();
    conn_id fresh = world_join(world, "tea"), b = world_open(world);

    world_say(world, b,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Mele\",\"hello\":[ 1 ],"
              "\"resumeToken\":\"%s\"}",
              resume_token("tea", 1, BEFORE));
    EXPECT_HEARD(
        fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\",\"name\":\"Mele\",\"hello\":[ 1 ]}",
            peer_id(1)),
        fresh);
    conn_id c = restore(world, 2);
    EXPECT_HEARD(back_in_tea(2, fmt("%s,{\"peerId\":\"%s\",\"name\":\"Mele\"}", offered(101),
                                    peer_id(1))),
                 c);
    world_free(world);
}

TEST(newcomers_after_a_restart_meet_everybody_as_always)
{
    struct world *world = world_after();
    conn_id a = restore(world, 1), b = restore(world, 2), fresh = world_open(world);

    world_forget(world);
    world_say_join(world, fresh, "tea");
    EXPECT_HEARD(room_rejoined("tea", 101, fmt("%s,%s", participant(1), participant(2)), false,
                               false, NOW),
                 fresh);
    EXPECT_HEARD(user_joined(101), a);
    EXPECT_HEARD(user_joined(101), b);
    EXPECT_QUIET();
    world_free(world);
}

/* They have not met: each is new to the other. */
TEST(peers_of_two_earlier_processes_are_told_of_each_other)
{
    struct world *world = world_after();
    conn_id a = restore(world, 1), b = world_open(world);

    world_forget(world);
    world_say_resume(world, b, "tea", 2, BEFORE - 1);
    EXPECT_HEARD(back_in_tea(2, offered(1)), b);
    EXPECT_HEARD(user_joined(2), a);
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_restored_seat_is_held_and_taken_again_with_either_token)
{
    static const uint64_t processes[] = {BEFORE, NOW};
    struct world *world = world_after();
    conn_id fresh = world_join(world, "tea"), a = restore(world, 1);

    world_forget(world);
    for (int i = 0; i < 4; i++) {
        world_end(world, a, HUB_END_LOST);
        world_say_signal(world, fresh, 1, "1");
        a = world_open(world);
        world_say_resume(world, a, "tea", 1, processes[i % 2]);
        EXPECT_HEARD(back_in_tea(1, participant(101)), a); /* they have met by now */
        EXPECT_HEARD(relayed(101, "1"), a);
        EXPECT_QUIET();
    }
    conn_id newer = restore(world, 1);
    EXPECT_HEARD("close 4001", a);
    EXPECT_HEARD(back_in_tea(1, participant(101)), newer);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);
    world_free(world);
}

TEST(who_is_away_while_others_are_restored_finds_them_on_coming_back)
{
    struct world *world = world_after();
    conn_id fresh = world_join(world, "tea");

    world_end(world, fresh, HUB_END_LOST);
    conn_id a = restore(world, 1);
    EXPECT_HEARD(back_in_tea(1, offered(101)), a);
    fresh = world_open(world);
    world_say_resume(world, fresh, "tea", 101, NOW);
    EXPECT_HEARD(back_in_tea(101, participant(1)), fresh);
    EXPECT_QUIET();
    world_free(world);
}

/* ---- tokens that count no more ---- */

TEST(a_token_of_another_process_is_good_for_a_week_by_either_clock)
{
    static const struct {
        int64_t shift_s;
        bool good;
    } rows[] = {
        {0, true},
        {1, true},
        {LIMIT_TOKEN_AGE_MAX_S, true},
        {LIMIT_TOKEN_AGE_MAX_S + 1, false},
        {-1, true},
        {-LIMIT_TOKEN_AGE_MAX_S, true},
        {-LIMIT_TOKEN_AGE_MAX_S - 1, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct world *world = world_after();
        world->wall_s = (uint64_t)((int64_t)WORLD_WALL_S + rows[i].shift_s);
        conn_id a = restore(world, 1);
        struct str told = world_take(world, a);
        EXPECT_THAT(str_starts_with(told, STR("{\"type\":\"RoomJoined\"")) == rows[i].good,
                    "%lld s", (long long)rows[i].shift_s);
        if (!rows[i].good)
            EXPECT_STR(error_of(ERR_BAD_RESUME_TOKEN), told);
        EXPECT_GAUGES(rows[i].good, rows[i].good, 0, 0);
        world_free(world);
    }
}

TEST(who_left_after_a_restart_does_not_come_back_with_either_token)
{
    static const enum {
        BY_LEAVE,
        BY_GOODBYE,
        BY_REMOVAL,
        BY_TIME,
        WAYS
    } ways[] = {BY_LEAVE, BY_GOODBYE, BY_REMOVAL, BY_TIME};

    for (size_t i = 0; i < WAYS; i++) {
        struct world *world = world_after();
        conn_id witness = restore(world, 2), a = restore(world, 1);
        world_forget(world);
        if (ways[i] == BY_LEAVE)
            world_say(world, a, LEAVE);
        else
            world_end(world, a,
                      ways[i] == BY_GOODBYE   ? HUB_END_GOODBYE
                      : ways[i] == BY_REMOVAL ? HUB_END_REMOVED
                                              : HUB_END_LOST);
        world_wait(world, 30000);
        EXPECT(str_starts_with(world_take(world, witness), STR("{\"type\":\"UserLeft\"")));
        conn_id again = restore(world, 1);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), again);
        world_say_resume(world, again, "tea", 1, NOW);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), again);
        EXPECT_QUIET();
        EXPECT_GAUGES(1, 1, 0, 0);
        world_say_join(world, again, "tea");
        EXPECT_HEARD(user_joined(101), witness);
        world_free(world);
    }
}

/* As far as memory reaches: docs/protocol.md promises no more than a bounded list. */
TEST(a_thousand_departures_later_a_departure_is_still_remembered)
{
    struct world *world = world_after();

    for (unsigned n = 1; n <= 1024; n++) {
        conn_id a = restore(world, n);
        world_end(world, a, HUB_END_GOODBYE);
        world_forget(world);
    }
    conn_id first = restore(world, 1);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), first);
    conn_id last = restore(world, 1024);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), last);
    conn_id another = restore(world, 1025);
    EXPECT_HEARD(back_in_tea(1025, ""), another);
    world_free(world);
}

TEST(a_token_of_this_process_for_a_seat_that_is_not_there_makes_none)
{
    struct world *world = world_after();
    conn_id a = world_open(world);

    world_say_resume(world, a, "tea", 1, NOW);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    EXPECT_GAUGES(0, 0, 0, 0);
    world_free(world);
}

TEST(without_seats_to_hold_none_is_restored)
{
    struct limits limits = world_calm_limits();
    limits.resume_ms = 0;
    struct world *world = world_after_limited(limits);
    conn_id a = restore(world, 1);

    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    EXPECT_GAUGES(0, 0, 0, 0);
    world_free(world);
}

TEST(a_full_room_and_a_full_hub_have_no_seat_for_the_restored_either)
{
    struct limits limits = world_calm_limits();
    limits.room_peers_max = 2;
    limits.rooms_max = 1;
    struct world *world = world_after_limited(limits);
    conn_id a = restore(world, 1), b = restore(world, 2);

    world_forget(world);
    conn_id late = restore(world, 3);
    EXPECT_HEARD(error_of(ERR_ROOM_FULL), late);
    world_say_resume(world, late, "coffee", 4, BEFORE);
    EXPECT_HEARD(error_of(ERR_HUB_FULL), late);
    EXPECT_QUIET();
    EXPECT_UINT(2, world->metrics.values[METRIC_RESUMES_REFUSED]);
    world_end(world, b, HUB_END_GOODBYE);
    world_forget(world);
    world_say_resume(world, late, "tea", 3, BEFORE);
    EXPECT_HEARD(back_in_tea(3, participant(1)), late);
    EXPECT_QUIET();
    (void)a;
    world_free(world);
}

TEST(the_token_of_a_locked_room_is_a_pass)
{
    struct world *world = world_after();
    conn_id a = restore(world, 1), knocker = world_open(world);

    world_say_lock(world, a, true);
    world_say_join(world, knocker, "tea"); /* 101 */
    world_forget(world);
    conn_id b = restore(world, 2);
    EXPECT_HEARD(room_rejoined("tea", 2, participant(1), true, true, NOW), b);
    EXPECT_HEARD(knocked(101), b); /* he has not heard that knock */
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 1);
    world_free(world);
}

TEST(while_it_drains_a_hub_restores_nobody)
{
    struct world *world = world_after();
    conn_id a = restore(world, 1), b = world_open(world);

    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    world_say_resume(world, b, "tea", 2, BEFORE);
    EXPECT_HEARD(error_of(ERR_HUB_FULL), b);      /* the token stays good, for the next process */
    world_say_resume(world, b, "tea", 1, BEFORE); /* but a seat that is there can be taken */
    EXPECT_HEARD("close 4001", a);
    EXPECT_HEARD(back_in_tea(1, ""), b);
    world_drop(world);
}

/* ---- tokens that nobody was given ---- */

/* Says each and expects one answer, and that nobody else hears anything. */
TEST(whatever_is_no_token_of_ours_is_refused_and_told_to_nobody)
{
    struct world *world = world_after();
    conn_id witness = world_join(world, "tea"), a = world_open(world);
    char good[TOKEN_SIZE + 1];
    static const char *const others[] = {"",        " ", "x",     "null", "\\u0000",
                                         "\\ud800", "=", "../..", "\\\"}"};
    struct token_key other_key = {"a key that no world has"};
    struct token token = {.process = BEFORE, .issued_s = WORLD_WALL_S};
    char text[2 * TOKEN_SIZE + 1];

    strcpy(good, resume_token("tea", 1, BEFORE));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        world_say(world, a, RESUME, "tea", others[i]);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    }
    for (size_t size = 0; size < TOKEN_SIZE; size++) {
        world_say(world, a, RESUME, "tea", fmt("%.*s", (int)size, good));
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
        snprintf(text, sizeof text, "%s", good);
        text[size] = text[size] == 'A' ? 'B' : 'A';
        world_say(world, a, RESUME, "tea", text);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    }
    world_say(world, a, RESUME, "tea", fmt("%sA", good));
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    world_say(world, a, RESUME, "tea", fmt("%s%s", good, good));
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    world_say(world, a, RESUME, "tea", fmt("%s=", good));
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    world_say(world, a, RESUME, "tea", resume_token("coffee", 1, BEFORE));
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    memcpy(token.peer_id, peer_id(1), sizeof token.peer_id);
    EXPECT(token_write(text, &other_key, STR("tea"), &token));
    world_say(world, a, RESUME, "tea", text);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 0);
    EXPECT_UINT(ARRAY_SIZE(others) + 2 * TOKEN_SIZE + 5,
                world->metrics.values[METRIC_RESUMES_REFUSED]);

    world_say(world, a, RESUME, "tea", good);
    EXPECT_HEARD(back_in_tea(1, offered(101)), a);
    EXPECT_HEARD(user_joined(1), witness);
    world_free(world);
}

TEST(a_token_that_is_no_string_is_a_bad_message)
{
    static const char *const values[] = {"null", "1", "true", "[]", "{}", "[\"A\"]"};
    struct world *world = world_after();
    conn_id a = world_open(world);

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        world_say(world, a, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"resumeToken\":%s}",
                  values[i]);
        EXPECT_HEARD(error_of(ERR_BAD_MESSAGE), a);
    }
    EXPECT_QUIET();
    world_free(world);
}

TEST(a_token_spelled_with_escapes_is_the_same_token)
{
    struct world *world = world_after();
    conn_id a = world_open(world);
    const char *good = resume_token("tea", 1, BEFORE);

    world_say(world, a, RESUME, "te\\u0061", fmt("\\u%04x%s", (unsigned)good[0], good + 1));
    EXPECT_HEARD(back_in_tea(1, ""), a);
    world_free(world);
}

/* ---- whoever tries too often, SECURITY R39 ---- */

/* A world that knows the address of its connections. */
static struct world *world_at_the_gate(void)
{
    struct world *world = world_after();

    if (!admission_connect(world->admission, world->from, world->now_ms))
        abort();
    return world;
}

static void forge(struct world *world, conn_id conn)
{
    world_say(world, conn, RESUME, "tea", "forged");
}

TEST(after_ten_forged_tokens_each_further_one_waits_longer)
{
    static const unsigned waits_ms[] = {1000, 2000, 4000, 8000, 16000, 25000, 25000, 25000};
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world), b = world_open(world);

    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++) {
        forge(world, i % 2 ? a : b); /* over all its connections */
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), i % 2 ? a : b);
    }
    for (size_t i = 0; i < ARRAY_SIZE(waits_ms); i++) {
        forge(world, a);
        EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, waits_ms[i]), a);
        world_wait(world, waits_ms[i] - 1);
        forge(world, b);
        EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 1), b);
        world_wait(world, 1);
        forge(world, b);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), b);
    }
    EXPECT_QUIET();
    world_free(world);
}

TEST(while_an_address_waits_with_forged_tokens_it_may_join_and_good_ones_are_good)
{
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world);

    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++)
        forge(world, a);
    world_forget(world);
    forge(world, a);
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 1000), a);
    world_say_join(world, a, "tea");
    EXPECT(str_starts_with(world_take(world, a), STR("{\"type\":\"RoomJoined\"")));

    world->from++;
    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    conn_id b = restore(world, 2);
    EXPECT_HEARD(back_in_tea(2, offered(101)), b);
    EXPECT_HEARD(user_joined(2), a);
    conn_id c = world_open(world);
    forge(world, c);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), c);
    EXPECT_QUIET();

    world->from--;
    conn_id d = restore(world, 1);
    EXPECT(str_starts_with(world_take(world, d), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

TEST(half_an_hour_later_all_is_forgotten)
{
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++) {
            forge(world, a);
            EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
        }
        forge(world, a);
        EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 1000), a);
        world_wait(world, LIMIT_FORGED_WINDOW_MS);
    }
    world_free(world);
}

TEST(nine_forged_tokens_in_a_window_never_make_anybody_wait)
{
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX - 1; i++) {
            forge(world, a);
            EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
        }
        world_wait(world, LIMIT_FORGED_WINDOW_MS);
    }
    world_free(world);
}

TEST(hanging_up_does_not_make_a_forger_forgotten)
{
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world);

    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++)
        forge(world, a);
    world_end(world, a, HUB_END_GOODBYE);
    admission_disconnect(world->admission, world->from, world->now_ms);
    world_wait(world, 60000); /* with a sweep or two */
    EXPECT(admission_connect(world->admission, world->from, world->now_ms));
    a = world_open(world);
    world_forget(world);
    forge(world, a);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    forge(world, a);
    EXPECT_HEARD(error_about(ERR_RATE_LIMITED, NULL, 2000), a);
    world_free(world);
}

TEST(a_token_that_was_given_out_is_never_a_forged_one)
{
    struct world *world = world_at_the_gate();
    conn_id a = world_open(world);

    for (int i = 0; i < 3 * LIMIT_FORGED_TOKENS_MAX; i++) {
        world_say_resume(world, a, "tea", 1, NOW); /* that seat is gone */
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), a);
    }
    world_free(world);
}
