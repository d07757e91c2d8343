/* hub: what the peers of a room hear of one another. */
#include "aloha/name.h"
#include "world.h"

#include <stdio.h>

#define JOIN  "{\"type\":\"JoinRoom\",\"roomId\":\"%s\"}"
#define LEAVE "{\"type\":\"LeaveRoom\"}"

static void say_signal(struct world *world, conn_id from, const char *to, const char *message)
{
    world_say(world, from, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%s}", to, message);
}

static const char *unknown_peer(const char *id)
{
    return fmt(
        "{\"type\":\"Error\",\"code\":\"unknown-peer\",\"message\":\"%s\",\"peerId\":\"%s\"}",
        err_text(ERR_UNKNOWN_PEER), id);
}

/* ---- joining ---- */

TEST(the_first_one_finds_the_room_empty)
{
    struct world *world = world_new();
    conn_id a = world_open(world);

    world_say(world, a, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 1, ""), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(a_newcomer_learns_who_is_there_and_those_learn_of_the_newcomer)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world);

    world_say(world, c, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 3, fmt("%s,%s", participant(1), participant(2))),
               world_take(world, c));
    EXPECT_STR(user_joined(3), world_take(world, a));
    EXPECT_STR(user_joined(3), world_take(world, b));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(room_joined_lists_no_one_twice_and_not_oneself_after_comings_and_goings)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say(world, a, LEAVE);
    world_say(world, a, JOIN, "tea"); /* peer 3 */
    hub_closed(world->hub, b, HUB_END_GOODBYE, world->now_ms);
    world_forget(world);
    conn_id c = world_open(world);
    world_say(world, c, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 4, participant(3)), world_take(world, c));
    EXPECT_STR(user_joined(4), world_take(world, a));
    world_free(world);
}

TEST(rooms_hear_nothing_of_each_other)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say(world, b, JOIN, "coffee");
    EXPECT_STR(room_joined("coffee", 2, ""), world_take(world, b));
    world_say(world, b, LEAVE);
    EXPECT_STR("", world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(a_name_goes_to_those_who_are_there_and_to_those_who_come)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world), c = world_open(world);

    world_say(world, b,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\" Mele \\u00e9\\\"\\\\ \"}");
    EXPECT_STR(fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\",\"name\":\"Mele \xc3\xa9\\\"\\\\\"}",
                   peer_id(2)),
               world_take(world, a));
    world_take(world, b);
    world_say(world, c, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 3,
                           fmt("%s,{\"peerId\":\"%s\",\"name\":\"Mele \xc3\xa9\\\"\\\\\"}",
                               participant(1), peer_id(2))),
               world_take(world, c));
    world_free(world);
}

TEST(an_empty_name_is_no_name)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say(world, b, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"  \\t \"}");
    EXPECT_STR(user_joined(2), world_take(world, a));
    world_free(world);
}

TEST(hello_reaches_the_members_byte_for_byte)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say(world, b,
              "{\"type\":\"JoinRoom\",\"hello\" : { \"sdp\" :\t\"v=0\\r\\n\", \"x\":[1.0E+2 ] } ,"
              "\"roomId\":\"tea\"}");
    EXPECT_STR(room_joined("tea", 2, participant(1)), world_take(world, b));
    EXPECT_STR(fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\",\"hello\":"
                   "{ \"sdp\" :\t\"v=0\\r\\n\", \"x\":[1.0E+2 ] }}",
                   peer_id(2)),
               world_take(world, a));
    world_free(world);
}

TEST(a_hello_of_8_kib_passes_and_one_byte_more_does_not)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);
    static char filling[LIMIT_HELLO_SIZE_MAX];

    memset(filling, 'h', sizeof filling - 1);
    world_say(world, b, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":\"%s\"}", filling);
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, b));
    EXPECT(world_is_quiet(world));
    filling[LIMIT_HELLO_SIZE_MAX - 2] = '\0';
    world_say(world, b, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":\"%s\"}", filling);
    EXPECT_STR(fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\",\"hello\":\"%s\"}", peer_id(2),
                   filling),
               world_take(world, a));
    world_free(world);
}

TEST(a_second_join_changes_nothing_and_is_told_to_nobody)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say(world, b, JOIN, "coffee");
    EXPECT_STR(error_of(ERR_ALREADY_IN_ROOM), world_take(world, b));
    world_say(world, b, JOIN, "tea");
    EXPECT_STR(error_of(ERR_ALREADY_IN_ROOM), world_take(world, b));
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(1, world->metrics.values[METRIC_ROOMS]);
    say_signal(world, b, peer_id(1), "1");
    EXPECT_STR(relayed(2, "1"), world_take(world, a));
    world_free(world);
}

TEST(what_cannot_be_joined_leaves_the_connection_free_to_try_again)
{
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"{\"type\":\"JoinRoom\",\"roomId\":\"\"}", ERR_BAD_ROOM_ID},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"..\"}", ERR_BAD_ROOM_ID},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"a/b\"}", ERR_BAD_ROOM_ID},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"a\\u202eb\"}", ERR_BAD_NAME},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"resumeToken\":\"x\"}", ERR_BAD_RESUME_TOKEN},
    };
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        world_say(world, b, "%s", rows[i].text);
        EXPECT_STR(error_of(rows[i].err), world_take(world, b));
        EXPECT(world_is_quiet(world));
    }
    world_say(world, b, JOIN, "tea");
    EXPECT_STR(room_joined("tea", world->peers_made, participant(1)), world_take(world, b));
    EXPECT_STR(user_joined(world->peers_made), world_take(world, a));
    world_free(world);
}

TEST(a_full_room_stays_as_it_is)
{
    struct limits limits = world_limits();
    limits.room_peers_max = 2;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"), c = world_open(world);

    world_say(world, c, JOIN, "tea");
    EXPECT_STR(error_of(ERR_ROOM_FULL), world_take(world, c));
    EXPECT(world_is_quiet(world));
    world_say(world, c, JOIN, "coffee");
    EXPECT(str_starts_with(world_take(world, c), STR("{\"type\":\"RoomJoined\"")));
    world_say(world, a, LEAVE);
    world_say(world, c, LEAVE);
    world_forget(world);
    world_say(world, c, JOIN, "tea");
    EXPECT(str_starts_with(world_take(world, c), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_STR(user_joined(world->peers_made), world_take(world, b));
    world_free(world);
}

TEST(a_full_hub_makes_no_more_rooms_and_keeps_those_it_has)
{
    struct limits limits = world_limits();
    limits.rooms_max = 1;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say(world, b, JOIN, "coffee");
    EXPECT_STR(error_of(ERR_HUB_FULL), world_take(world, b));
    world_say(world, b, JOIN, "tea");
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_STR(user_joined(world->peers_made), world_take(world, a));
    world_free(world);
}

TEST(the_limits_that_are_set_are_the_limits_that_are_told)
{
    struct limits limits = world_limits();
    limits.message_size_max = 12345;
    limits.room_peers_max = 7;
    limits.ping_after_ms = 31000;
    struct world *world = world_new_limited(limits);
    conn_id a = world_open(world);

    world_say(world, a, JOIN, "tea");
    struct str text = world_take(world, a);
    struct buf wanted;
    buf_init(&wanted, 4096);
    buf_add(&wanted, STR(",\"limits\":"));
    limits_write_json(&limits, &wanted);
    buf_add(&wanted, STR("}"));
    EXPECT(memmem(wanted.data, wanted.size, "\"maxMessageBytes\":12345,", 24));
    EXPECT(text.size > wanted.size);
    EXPECT(memcmp(text.text + text.size - wanted.size, wanted.data, wanted.size) == 0);
    buf_deinit(&wanted);
    world_free(world);
}

TEST(fifty_peers_with_the_longest_names_fit_into_one_room_joined)
{
    struct limits limits = world_limits();
    limits.room_peers_max = 50;
    struct world *world = world_new_limited(limits);
    char name[NAME_SIZE_MAX + 1] = "";
    conn_id last = 0;

    for (int i = 0; i < NAME_SCALARS_MAX; i++)
        strcat(name, "\xf0\x9f\x8c\xba");
    for (int i = 0; i < 50; i++) {
        world_forget(world);
        last = world_open(world);
        world_say(world, last, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"%s\"}", name);
    }
    struct str text = world_take(world, last);
    EXPECT_THAT(text.size > 49 * sizeof name, "RoomJoined of %zu bytes", text.size);
    EXPECT_UINT(50, world->metrics.values[METRIC_PEERS]);
    world_free(world);
}

/* ---- signals ---- */

TEST(a_signal_reaches_the_one_it_is_for_byte_for_byte)
{
    static const char *const messages[] = {
        "null",        "true",           "-0.0e+00",
        "\"\"",        "\"\\u00e4\\/\"", "{ \"a\" : [ 1 , 2 ] }",
        "[\t]",        "1e999999",       "{\"type\":\"Signal\",\"peerId\":\"x\"}",
        "\"\\ud800\"", "\"\\u0000\"",    "\"\xf0\x9f\x8c\xba\"",
    };
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        say_signal(world, a, peer_id(2), messages[i]);
        EXPECT_STR(relayed(1, messages[i]), world_take(world, b));
    }
    EXPECT_STR("", world_take(world, c));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(white_space_around_a_message_is_not_part_of_it)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    say_signal(world, a, peer_id(2), " \t\r\n[ 1 ]\n ");
    EXPECT_STR(relayed(1, "[ 1 ]"), world_take(world, b));
    world_free(world);
}

TEST(nothing_of_the_senders_envelope_passes)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say(world, a,
              "{\"type\":\"Signal\",\"from\":\"%s\",\"sender\":7,\"message\":1,\"roomId\":\"x\","
              "\"hello\":2,\"name\":\"Mele\",\"peerId\":\"%s\",\"resumed\":true}",
              peer_id(3), peer_id(2));
    EXPECT_STR(relayed(1, "1"), world_take(world, b));
    world_free(world);
}

TEST(nobody_can_speak_for_another)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_say(world, c, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"peerId\":\"%s\",\"message\":1}",
              peer_id(1), peer_id(2));
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, c));
    world_say(world, c,
              "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":1,\"peer\\u0049d\":\"%s\"}",
              peer_id(2), peer_id(1));
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, c));
    say_signal(world, c, peer_id(2), "1,\"peerId\":\"x\"");
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, c));
    say_signal(world, c, peer_id(2), "1}{\"type\":\"LeaveRoom\"");
    EXPECT_STR(error_of(ERR_BAD_MESSAGE), world_take(world, c));
    EXPECT_STR("", world_take(world, a));
    EXPECT_STR("", world_take(world, b));
    world_free(world);
}

TEST(an_escaped_peer_id_is_the_same_peer)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    say_signal(world, a, "\\u0030\\u0030000000-0000-4000-8000-000000000002", "1");
    EXPECT_STR(relayed(1, "1"), world_take(world, b));
    world_free(world);
}

TEST(unknown_departed_foreign_and_own_ids_get_the_same_answer)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), gone = world_join(world, "tea");

    world_join(world, "coffee"); /* peer 3 */
    hub_closed(world->hub, gone, HUB_END_GOODBYE, world->now_ms);
    world_forget(world);
    for (unsigned peer = 1; peer <= 4; peer++) {
        say_signal(world, a, peer_id(peer), "1");
        EXPECT_STR(unknown_peer(peer_id(peer)), world_take(world, a));
        EXPECT(world_is_quiet(world));
    }
    world_free(world);
}

TEST(what_is_no_peer_id_is_not_repeated)
{
    static const char *const ids[] = {
        "",
        "tea",
        "<script>",
        "00000000-0000-4000-8000-00000000000G",
        "00000000-0000-4000-8000-0000000000010",
        "\\u0000",
        "\\ud800",
        "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\"
        "\""
        "\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"",
    };
    struct world *world = world_new();
    conn_id a = world_join(world, "tea");

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        say_signal(world, a, ids[i], "1");
        EXPECT_STR(error_of(ERR_UNKNOWN_PEER), world_take(world, a));
    }
    world_free(world);
}

TEST(signals_arrive_once_and_in_order)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    for (unsigned i = 0; i < 50; i++) {
        say_signal(world, a, peer_id(3), fmt("\"a%u\"", i));
        say_signal(world, b, peer_id(3), fmt("\"b%u\"", i));
    }
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_STR(relayed(1, fmt("\"a%u\"", i)), world_take(world, c));
        EXPECT_STR(relayed(2, fmt("\"b%u\"", i)), world_take(world, c));
    }
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(before_a_join_there_is_nobody_to_signal_and_nothing_to_leave)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    say_signal(world, b, peer_id(1), "1");
    EXPECT_STR(error_of(ERR_NOT_IN_ROOM), world_take(world, b));
    world_say(world, b, LEAVE);
    EXPECT_STR(error_of(ERR_NOT_IN_ROOM), world_take(world, b));
    EXPECT_STR("", world_take(world, a));
    world_free(world);
}

/* ---- leaving ---- */

TEST(who_leaves_is_gone_once_and_may_join_again_as_somebody_new)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    world_say(world, b, LEAVE);
    EXPECT_STR(user_left(2, "left"), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_say(world, b, LEAVE);
    EXPECT_STR(error_of(ERR_NOT_IN_ROOM), world_take(world, b));
    say_signal(world, a, peer_id(2), "1");
    EXPECT_STR(unknown_peer(peer_id(2)), world_take(world, a));

    world_say(world, b, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 3, participant(1)), world_take(world, b));
    EXPECT_STR(user_joined(3), world_take(world, a));
    hub_closed(world->hub, b, HUB_END_GOODBYE, world->now_ms);
    EXPECT_STR(user_left(3, "left"), world_take(world, a));
    EXPECT(world_is_quiet(world));
    world_free(world);
}

TEST(how_a_connection_ended_is_why_its_peer_left)
{
    static const struct {
        enum hub_end end;
        const char *reason;
    } rows[] = {{HUB_END_GOODBYE, "left"}, {HUB_END_LOST, "timeout"}, {HUB_END_REMOVED, "removed"}};
    struct limits limits = world_limits();
    limits.resume_ms = 0; /* with held seats: test_hub_seats.c */
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea");

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        conn_id b = world_join(world, "tea");
        hub_closed(world->hub, b, rows[i].end, world->now_ms);
        EXPECT_STR(user_left(2 + i, rows[i].reason), world_take(world, a));
        EXPECT(world_is_quiet(world));
    }
    world_free(world);
}

TEST(a_connection_that_was_in_no_room_ends_quietly)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    hub_closed(world->hub, b, HUB_END_LOST, world->now_ms);
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(1, world->metrics.values[METRIC_WEBSOCKETS]);
    hub_closed(world->hub, a, HUB_END_GOODBYE, world->now_ms);
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(0, world->metrics.values[METRIC_WEBSOCKETS]);
    EXPECT_UINT(0, world->metrics.values[METRIC_ROOMS]);
    EXPECT_UINT(0, world->metrics.values[METRIC_PEERS]);
    world_free(world);
}

/* ---- ids of connections ---- */

TEST(an_old_id_finds_nothing_also_when_its_slot_is_in_use_again)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), old = world_join(world, "tea");

    hub_closed(world->hub, old, HUB_END_GOODBYE, world->now_ms);
    world_forget(world);
    conn_id new = world_open(world);
    EXPECT((uint32_t)new == (uint32_t)old);
    EXPECT(new != old);

    world_say(world, old, JOIN, "tea");
    hub_heard(world->hub, old, world->now_ms);
    hub_closed(world->hub, old, HUB_END_LOST, world->now_ms);
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(2, world->metrics.values[METRIC_WEBSOCKETS]);
    world_say(world, new, JOIN, "tea");
    EXPECT_STR(room_joined("tea", 3, participant(1)), world_take(world, new));
    EXPECT_STR(user_joined(3), world_take(world, a));
    world_free(world);
}

TEST(ids_that_were_never_given_find_nothing)
{
    static const conn_id ids[] = {
        0, 1, UINT64_MAX, UINT64_C(1) << 32, UINT64_C(1) << 32 | 7, UINT64_C(0xffffffff)};
    struct world *world = world_new();

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        world_say(world, ids[i], JOIN, "tea");
        hub_heard(world->hub, ids[i], world->now_ms);
        hub_closed(world->hub, ids[i], HUB_END_LOST, world->now_ms);
    }
    EXPECT(world_is_quiet(world));
    EXPECT_UINT(0, world->metrics.values[METRIC_WEBSOCKETS]);
    world_free(world);
}

TEST(no_id_comes_twice_and_slots_stay_below_the_maximum)
{
    struct world *world = world_new();
    static conn_id ids[5000];
    struct dice dice = {3};
    conn_id open[WORLD_CONNECTIONS_MAX];
    unsigned open_count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (open_count == WORLD_CONNECTIONS_MAX || (open_count && dice_below(&dice, 2))) {
            unsigned at = dice_below(&dice, open_count);
            hub_closed(world->hub, open[at], HUB_END_LOST, world->now_ms);
            open[at] = open[--open_count];
        }
        ids[i] = open[open_count++] = world_open(world);
        EXPECT(ids[i] != 0);
        EXPECT((uint32_t)ids[i] < WORLD_CONNECTIONS_MAX);
        for (size_t k = 0; k < i; k++)
            EXPECT(ids[k] != ids[i]);
    }
    world_free(world);
}

TEST(one_connection_more_than_the_maximum_is_not_opened)
{
    struct world *world = world_new();
    conn_id ids[WORLD_CONNECTIONS_MAX];

    for (size_t i = 0; i < WORLD_CONNECTIONS_MAX; i++) {
        ids[i] = world_open(world);
        EXPECT(ids[i] != 0);
    }
    EXPECT_UINT(0, world_open(world));
    EXPECT_UINT(WORLD_CONNECTIONS_MAX, world->metrics.values[METRIC_WEBSOCKETS]);
    hub_closed(world->hub, ids[5], HUB_END_LOST, world->now_ms);
    EXPECT(world_open(world) != 0);
    EXPECT_UINT(0, world_open(world));
    world_free(world);
}

TEST(every_slot_that_was_given_back_is_given_again)
{
    struct world *world = world_new();
    conn_id ids[WORLD_CONNECTIONS_MAX];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < WORLD_CONNECTIONS_MAX; i++) {
            ids[i] = world_open(world);
            EXPECT(ids[i] != 0);
        }
        for (size_t i = 0; i < WORLD_CONNECTIONS_MAX; i++)
            hub_closed(world->hub, ids[i], HUB_END_LOST, world->now_ms);
    }
    EXPECT_UINT(0, world->metrics.values[METRIC_WEBSOCKETS]);
    world_free(world);
}

/* ---- what is counted ---- */

TEST(what_happens_is_counted)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b = world_join(world, "coffee");
    const struct metrics *metrics = &world->metrics;

    say_signal(world, a, peer_id(9), "1");
    world_say(world, b, "nonsense");
    world_say(world, b, LEAVE);
    EXPECT_UINT(2, metrics->messages[MESSAGE_JOIN_ROOM][OK]);
    EXPECT_UINT(1, metrics->messages[MESSAGE_SIGNAL][ERR_UNKNOWN_PEER]);
    EXPECT_UINT(1, metrics->messages[MESSAGE_LEAVE_ROOM][OK]);
    EXPECT_UINT(1, metrics->messages[MESSAGE_UNKNOWN][ERR_BAD_MESSAGE]);
    EXPECT_UINT(1, metrics->errors[ERR_UNKNOWN_PEER]);
    EXPECT_UINT(1, metrics->errors[ERR_BAD_MESSAGE]);
    EXPECT_UINT(2, metrics->values[METRIC_JOINS_TOTAL]);
    EXPECT_UINT(2, metrics->values[METRIC_WEBSOCKETS]);
    EXPECT_UINT(1, metrics->values[METRIC_ROOMS]);
    EXPECT_UINT(1, metrics->values[METRIC_PEERS]);
    size_t bytes = strlen("{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}") +
                   strlen("{\"type\":\"JoinRoom\",\"roomId\":\"coffee\"}") + strlen("nonsense") +
                   strlen(LEAVE) + strlen("{\"type\":\"Signal\",\"peerId\":\"\",\"message\":1}") +
                   PEER_ID_SIZE;
    EXPECT_UINT(bytes, metrics->values[METRIC_RECEIVED_BYTES]);
    world_free(world);
}

/* Each message counts once: under its type and what its sender was told of it, not what others were. */
TEST(what_becomes_of_each_message_is_counted_with_its_type)
{
    static const struct {
        const char *text;
        unsigned kind, verdict;
    } cases[] = {
        {"{", MESSAGE_UNKNOWN, ERR_BAD_MESSAGE},
        {"{\"type\":\"Dance\"}", MESSAGE_UNKNOWN, ERR_UNKNOWN_TYPE},
        {"{\"type\":\"LockRoom\"}", MESSAGE_UNKNOWN, ERR_BAD_MESSAGE},
        {LEAVE, MESSAGE_LEAVE_ROOM, ERR_NOT_IN_ROOM},
        {"{\"type\":\"RefreshIceServers\"}", MESSAGE_REFRESH_ICE_SERVERS, ERR_NOT_IN_ROOM},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"/\"}", MESSAGE_JOIN_ROOM, ERR_BAD_ROOM_ID},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"a\",\"name\":\"\\u0000\"}", MESSAGE_JOIN_ROOM,
         ERR_BAD_NAME},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"a\",\"resumeToken\":\"x\"}", MESSAGE_JOIN_ROOM,
         ERR_BAD_RESUME_TOKEN},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"a\"}", MESSAGE_JOIN_ROOM, OK},
        {"{\"type\":\"JoinRoom\",\"roomId\":\"a\"}", MESSAGE_JOIN_ROOM, ERR_ALREADY_IN_ROOM},
        {"{\"type\":\"LockRoom\",\"locked\":true}", MESSAGE_LOCK_ROOM, OK},
        {"{\"type\":\"Admit\",\"peerId\":\"x\"}", MESSAGE_ADMIT, ERR_UNKNOWN_PEER},
        {"{\"type\":\"Deny\",\"peerId\":\"x\"}", MESSAGE_DENY, ERR_UNKNOWN_PEER},
        {"{\"type\":\"RefreshIceServers\"}", MESSAGE_REFRESH_ICE_SERVERS, OK},
        {LEAVE, MESSAGE_LEAVE_ROOM, OK},
    };
    struct world *world = world_new();
    conn_id a = world_open(world);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct metrics before = world->metrics;
        world_say(world, a, "%s", cases[i].text);
        before.messages[cases[i].kind][cases[i].verdict]++;
        EXPECT_THAT(memcmp(before.messages, world->metrics.messages, sizeof before.messages) == 0,
                    "%s", cases[i].text);
    }
    world_free(world);
}

TEST(a_message_counts_as_accepted_also_when_others_get_errors_for_it)
{
    struct world *world = world_new();
    conn_id a = world_join(world, "tea"), b;

    world_say_lock(world, a, true);
    b = world_join(world, "tea");
    world_say(world, a, "{\"type\":\"Deny\",\"peerId\":\"%s\"}", peer_id(2));
    EXPECT_UINT(1, world->metrics.messages[MESSAGE_DENY][OK]);
    EXPECT_UINT(0, world->metrics.messages[MESSAGE_DENY][ERR_ROOM_LOCKED]);
    EXPECT_UINT(1, world->metrics.errors[ERR_ROOM_LOCKED]);
    EXPECT_UINT(2, world->metrics.messages[MESSAGE_JOIN_ROOM][OK]);
    world_end(world, b, HUB_END_GOODBYE);
    world_free(world);
}

TEST(signals_count_as_relayed_or_kept_or_dropped)
{
    struct limits limits = world_calm_limits();
    limits.backlog_messages_max = 2;
    struct world *world = world_new_limited(limits);
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");

    for (int i = 0; i < 3; i++)
        say_signal(world, a, peer_id(2), "1");
    world_end(world, b, HUB_END_LOST);
    for (int i = 0; i < 6; i++)
        say_signal(world, a, peer_id(2), "1");
    EXPECT_UINT(3, world->metrics.values[METRIC_SIGNALS_RELAYED]);
    EXPECT_UINT(5, world->metrics.messages[MESSAGE_SIGNAL][OK]);
    EXPECT_UINT(4, world->metrics.messages[MESSAGE_SIGNAL][ERR_RATE_LIMITED]);
    EXPECT_UINT(4, world->metrics.drops[DROP_BACKLOG]);
    world_free(world);
}
