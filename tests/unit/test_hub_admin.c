/* hub: what the operator may do. */
#include "world.h"

#include <stdio.h>

#define AWAY_MS 30000

static struct world *calm_world(void)
{
    return world_new_limited(world_calm_limits());
}

/* ---- looking ---- */

struct list {
    char text[1024];
    size_t size;
    unsigned rows_max; /* ends the list after so many; 0: never */
    unsigned rows;
    const struct hub *hub; /* whose peers are listed as well; NULL: none are */
};

static bool list_peer(void *ctx, const struct hub_peer *peer)
{
    static const char *const states[] = {"here", "away", "knocking"};
    struct list *list = ctx;

    list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size,
                                   "%s %.*s %s %llu, ", peer->id + PEER_ID_SIZE - 1,
                                   (int)peer->name_json.size, peer->name_json.text,
                                   states[peer->state], (unsigned long long)peer->age_ms);
    return ++list->rows != list->rows_max;
}

static bool list_room(void *ctx, const struct hub_room *room)
{
    struct list *list = ctx;

    list->size +=
        (size_t)snprintf(list->text + list->size, sizeof list->text - list->size,
                         "%llu %.*s %zu/%zu/%zu%s %llu; ", (unsigned long long)room->number,
                         (int)room->id.size, room->id.text, room->peers, room->held, room->knocks,
                         room->locked ? " locked" : "", (unsigned long long)room->age_ms);
    if (list->hub)
        (void)hub_list_peers(list->hub, room->id, list_peer, list, 0);
    return ++list->rows != list->rows_max;
}

static struct str rooms_of(const struct world *world, uint64_t after, unsigned rows_max)
{
    static struct list list;

    list = (struct list){.rows_max = rows_max};
    hub_list_rooms(world->hub, after, list_room, &list, world->now_ms);
    return (struct str){list.text, list.size};
}

static struct str peers_of(const struct world *world, const char *room, unsigned rows_max)
{
    static struct list list;

    list = (struct list){.rows_max = rows_max};
    if (!hub_list_peers(world->hub, str_of(room), list_peer, &list, world->now_ms))
        return STR("none");
    return (struct str){list.text, list.size};
}

TEST(rooms_are_listed_with_how_many_are_in_them_and_how_old_they_are)
{
    struct world *world = calm_world();

    EXPECT_STR("", rooms_of(world, 0, 0));
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea");
    world_wait(world, 4000);
    world_join(world, "coffee");
    world_end(world, b, HUB_END_LOST);
    world_say_lock(world, a, true);
    world_join(world, "tea"); /* knocks */
    world_wait(world, 1000);
    EXPECT_STR("1 tea 2/1/1 locked 5000; 2 coffee 1/0/0 1000; ", rooms_of(world, 0, 0));
    world_end(world, a, HUB_END_GOODBYE);
    EXPECT_STR("1 tea 1/1/1 locked 5000; 2 coffee 1/0/0 1000; ", rooms_of(world, 0, 0));
    world_forget(world);
    world_wait(world, AWAY_MS); /* the last one's seat expires, and who knocks comes in */
    EXPECT_STR("1 tea 1/0/0 35000; 2 coffee 1/0/0 31000; ", rooms_of(world, 0, 0));
    world_free(world);
}

TEST(rooms_are_listed_in_parts_and_none_is_missed_when_others_go)
{
    struct world *world = calm_world();
    conn_id a = world_join(world, "a"), b = world_join(world, "b");

    world_join(world, "c");
    EXPECT_STR("1 a 1/0/0 0; 2 b 1/0/0 0; ", rooms_of(world, 0, 2));
    world_end(world, a, HUB_END_GOODBYE);
    world_end(world, b, HUB_END_GOODBYE);
    world_join(world, "a");
    EXPECT_STR("3 c 1/0/0 0; ", rooms_of(world, 2, 1));
    EXPECT_STR("4 a 1/0/0 0; ", rooms_of(world, 3, 2));
    EXPECT_STR("", rooms_of(world, 4, 2));
    world_free(world);
}

TEST(peers_are_listed_with_where_they_are_and_since_when)
{
    struct world *world = calm_world();
    conn_id a = world_open(world), b;

    world_say(world, a, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"Mele\"}");
    b = world_join(world, "tea");
    world_wait(world, 2000);
    world_say_lock(world, a, true);
    conn_id c = world_join(world, "tea");
    world_end(world, b, HUB_END_LOST);
    world_wait(world, 1000);
    EXPECT_STR("1 \"Mele\" here 3000, 2  away 3000, 3  knocking 1000, ", peers_of(world, "tea", 0));
    EXPECT_STR("1 \"Mele\" here 3000, ", peers_of(world, "tea", 1));
    EXPECT_STR("1 \"Mele\" here 3000, 2  away 3000, ", peers_of(world, "tea", 2));
    EXPECT_STR("none", peers_of(world, "coffee", 0));
    EXPECT_STR("none", peers_of(world, "", 0));

    world_say(world, a, "{\"type\":\"Admit\",\"peerId\":\"%s\"}", peer_id(3));
    world_wait(world, 500);
    EXPECT_STR("1 \"Mele\" here 3500, 2  away 3500, 3  here 500, ", peers_of(world, "tea", 0));
    world_end(world, c, HUB_END_GOODBYE);
    world_free(world);
}

TEST(peers_can_be_listed_while_rooms_are)
{
    struct world *world = calm_world();
    struct list list = {.hub = world->hub};

    world_join(world, "tea");
    world_join(world, "coffee");
    world_join(world, "tea");
    hub_list_rooms(world->hub, 0, list_room, &list, world->now_ms);
    EXPECT_STR("1 tea 2/0/0 0; 1  here 0, 3  here 0, 2 coffee 1/0/0 0; 2  here 0, ",
               ((struct str){list.text, list.size}));
    world_free(world);
}

TEST(a_time_that_this_process_was_stopped_makes_rooms_older)
{
    struct world *world = calm_world();

    world_join(world, "tea");
    world->now_ms += 60000; /* in one step: nobody's silence */
    hub_tick(world->hub, world->now_ms);
    EXPECT_STR("1 tea 1/0/0 60000; ", rooms_of(world, 0, 0));
    world_free(world);
}

/* ---- closing a room ---- */

/* Peers 1, 2 and 3 in "tea", of whom 2 is away with something kept for it; 4 knocks. 5 is in "coffee". */
static struct world *world_of_five(conn_id conns[6])
{
    struct world *world = calm_world();

    for (int i = 1; i < 4; i++)
        conns[i] = world_join(world, "tea");
    world_end(world, conns[2], HUB_END_LOST);
    world_say_signal(world, conns[1], 2, "1");
    world_say_lock(world, conns[1], true);
    conns[4] = world_open(world);
    world_say(world, conns[4],
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"hello\":{\"a\":[1,2,3]}}");
    conns[5] = world_join(world, "coffee");
    world_forget(world);
    return world;
}

TEST(a_closed_room_ends_for_all_in_it_and_at_its_door_and_for_nobody_else)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    EXPECT(hub_close_room(world->hub, STR("tea"), world->now_ms));
    EXPECT_HEARD("close 4004", conns[4]);
    EXPECT_HEARD("close 4004", conns[1]);
    EXPECT_HEARD("close 4004", conns[3]);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 0);
    EXPECT_UINT(0, world->metrics.values[METRIC_BACKLOG_BYTES]);
    EXPECT_UINT(1, world->metrics.values[METRIC_CLOSED_ROOMS]);
    EXPECT_UINT(4, world->metrics.values[METRIC_REMOVED_PEERS]);
    EXPECT_STR("2 coffee 1/0/0 0; ", rooms_of(world, 0, 0));

    for (int i = 1; i < 5; i++) { /* what comes of them is late */
        world_say_signal(world, conns[i], 1, "1");
        world_end(world, conns[i], HUB_END_REMOVED);
    }
    EXPECT_QUIET();
    EXPECT(!hub_close_room(world->hub, STR("tea"), world->now_ms));
    EXPECT(!hub_close_room(world->hub, STR("Coffee"), world->now_ms));
    world_free(world);
}

TEST(no_token_opens_a_seat_of_a_closed_room_but_whoever_joins_afresh_finds_it_empty_and_unlocked)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    EXPECT(hub_close_room(world->hub, STR("tea"), world->now_ms));
    world_forget(world);
    conn_id back = world_open(world);
    for (unsigned peer = 1; peer < 5; peer++) {
        world_say_resume(world, back, "tea", peer, WORLD_PROCESS);
        EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), back);
    }
    world_say_resume(world, back, "tea", 70, WORLD_PROCESS - 1); /* from before a restart */
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), back);
    EXPECT_GAUGES(1, 1, 0, 0);

    world_say_join(world, back, "tea");
    EXPECT_HEARD(room_joined("tea", 6, ""), back);
    conn_id late = world_open(world);
    world_say_resume(world, late, "tea", 70, WORLD_PROCESS - 1);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), late);
    world_end(world, back, HUB_END_LOST); /* a token of the new room is good */
    world_say_resume(world, late, "tea", 6, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 6, "", true, false, WORLD_PROCESS), late);
    EXPECT_QUIET();

    world_say_resume(world, world_open(world), "other", 71, WORLD_PROCESS - 1);
    EXPECT_UINT(3, world->metrics.values[METRIC_ROOMS]);
    world_free(world);
}

/* ---- removing somebody ---- */

TEST(a_removed_peer_is_closed_and_the_others_hear_of_it_once)
{
    struct world *world = calm_world();
    conn_id a = world_join(world, "tea"), b = world_join(world, "tea"),
            c = world_join(world, "tea");

    world_forget(world);
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    EXPECT_HEARD(user_left(2, "removed"), a);
    EXPECT_HEARD(user_left(2, "removed"), c);
    EXPECT_HEARD("close 4004", b);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);
    EXPECT_UINT(1, world->metrics.values[METRIC_REMOVED_PEERS]);
    EXPECT_UINT(0, world->metrics.values[METRIC_CLOSED_ROOMS]);

    EXPECT(!hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    world_say_signal(world, b, 1, "1");
    world_end(world, b, HUB_END_LOST);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 2, 0, 0);

    conn_id again = world_open(world);
    world_say_resume(world, again, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), again);
    world_say_join(world, again, "tea"); /* nobody is banned for ever */
    EXPECT(str_starts_with(world_take(world, again), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

TEST(who_is_away_can_be_removed_and_what_was_kept_for_it_is_gone)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    EXPECT_HEARD(user_left(2, "removed"), conns[1]);
    EXPECT_HEARD(user_left(2, "removed"), conns[3]);
    EXPECT_QUIET();
    EXPECT_GAUGES(2, 3, 0, 1);
    EXPECT_UINT(strlen("{\"a\":[1,2,3]}"), world->metrics.values[METRIC_BACKLOG_BYTES]);
    world_wait(world, AWAY_MS + 1000);
    EXPECT_QUIET();
    world_free(world);
}

TEST(who_knocks_can_be_removed_and_the_members_hear_that_the_knock_ended)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(4)), world->now_ms));
    EXPECT_HEARD(knock_ended(4), conns[1]);
    EXPECT_HEARD(knock_ended(4), conns[3]);
    EXPECT_HEARD("close 4004", conns[4]);
    EXPECT_QUIET();
    EXPECT_GAUGES(2, 3 + 1, 1, 0);
    world_free(world);
}

TEST(the_room_of_the_last_one_who_is_removed_ends_or_opens_to_who_knocks)
{
    struct world *world = calm_world();
    conn_id a = world_join(world, "tea"), b;

    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(1)), world->now_ms));
    EXPECT_HEARD("close 4004", a);
    EXPECT_GAUGES(0, 0, 0, 0);

    a = world_join(world, "tea");
    world_say_lock(world, a, true);
    b = world_join(world, "tea");
    world_forget(world);
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    EXPECT_HEARD("close 4004", a);
    EXPECT_HEARD(room_joined("tea", 3, ""), b);
    EXPECT_QUIET();
    world_free(world);
}

TEST(who_came_from_another_process_and_was_removed_cannot_come_back_with_either_token)
{
    struct world *world = calm_world();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    world_say_resume(world, b, "tea", 50, WORLD_PROCESS - 1);
    world_forget(world);
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(50)), world->now_ms));
    EXPECT_HEARD(user_left(50, "removed"), a);
    world_forget(world);

    /* However many leave after him. */
    for (unsigned peer = 100; peer < 100 + 1100; peer++) {
        b = world_open(world);
        world_say_resume(world, b, "tea", peer, WORLD_PROCESS - 1);
        world_end(world, b, HUB_END_GOODBYE);
        world_forget(world);
    }
    b = world_open(world);
    world_say_resume(world, b, "tea", 50, WORLD_PROCESS - 1);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), b);
    world_say_resume(world, b, "tea", 50, WORLD_PROCESS);
    EXPECT_HEARD(error_of(ERR_BAD_RESUME_TOKEN), b);
    world_say_resume(world, b, "tea", 100, WORLD_PROCESS - 1); /* forgotten: the list is short */
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    world_free(world);
}

TEST(nobody_is_removed_by_a_text_that_names_nobody)
{
    struct world *world = calm_world();

    world_join(world, "tea");
    EXPECT(!hub_remove_peer(world->hub, STR(""), world->now_ms));
    EXPECT(!hub_remove_peer(world->hub, (struct str){NULL, 0}, world->now_ms));
    EXPECT(!hub_remove_peer(world->hub, STR("tea"), world->now_ms));
    EXPECT(!hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    EXPECT(!hub_remove_peer(world->hub, (struct str){peer_id(1), PEER_ID_SIZE - 1}, world->now_ms));
    EXPECT_GAUGES(1, 1, 0, 0);
    EXPECT_QUIET();
    world_free(world);
}

TEST(closing_and_removing_need_no_memory)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    fail_allocation(1);
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(2)), world->now_ms));
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(3)), world->now_ms));
    EXPECT(hub_close_room(world->hub, STR("tea"), world->now_ms));
    hub_set_cordon(world->hub, true);
    EXPECT_STR("2 coffee 1/0/0 0; ", rooms_of(world, 0, 0));
    EXPECT(!allocation_has_failed());
    fail_allocation(0);
    EXPECT_GAUGES(1, 1, 0, 0);
    world_free(world);
}

/* The one who comes in when the last member was removed needs memory, or hears that there is none. */
TEST(removing_the_last_one_without_memory_leaves_nobody_outside_without_a_word)
{
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        struct world *world = calm_world();
        conn_id a = world_join(world, "tea");
        world_say_lock(world, a, true);
        conn_id b = world_join(world, "tea");
        world_forget(world);
        fail_allocation(++n);
        EXPECT(hub_remove_peer(world->hub, str_of(peer_id(1)), world->now_ms));
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT_HEARD("close 4004", a);
        struct str answer = world_take(world, b);
        bool joined = str_starts_with(answer, STR("{\"type\":\"RoomJoined\""));
        EXPECT(joined || str_starts_with(answer, STR("{\"type\":\"Error\",\"code\":\"hub-full\"")));
        EXPECT_GAUGES(joined, joined, 0, 0);
        refusals += !joined;
        world_free(world);
    } while (failed && !test_has_failed());
    EXPECT(refusals > 0);
}

TEST(also_while_it_drains_somebody_can_be_removed_and_a_room_closed)
{
    conn_id conns[6];
    struct world *world = world_of_five(conns);

    hub_drain(world->hub, world->now_ms);
    world_forget(world);
    EXPECT(hub_remove_peer(world->hub, str_of(peer_id(3)), world->now_ms));
    EXPECT_HEARD(user_left(3, "removed"), conns[1]);
    EXPECT_HEARD("close 4004", conns[3]);
    EXPECT(hub_close_room(world->hub, STR("tea"), world->now_ms));
    EXPECT_HEARD("close 4004", conns[4]);
    EXPECT_HEARD("close 4004", conns[1]);
    EXPECT_QUIET();
    EXPECT_GAUGES(1, 1, 0, 0);
    world_free(world);
}

/* ---- taking no new rooms ---- */

TEST(behind_a_cordon_rooms_go_on_and_none_begins)
{
    struct world *world = calm_world();
    conn_id a = world_join(world, "tea"), b = world_open(world);

    EXPECT(!hub_is_cordoned(world->hub));
    hub_set_cordon(world->hub, true);
    EXPECT(hub_is_cordoned(world->hub));
    EXPECT_UINT(1, world->metrics.values[METRIC_CORDONED]);
    world_say_join(world, b, "coffee");
    EXPECT_HEARD(error_of(ERR_HUB_FULL), b);
    world_say_join(world, b, "tea");
    EXPECT_HEARD(room_joined("tea", 2, participant(1)), b);
    EXPECT_HEARD(user_joined(2), a);
    world_end(world, b, HUB_END_LOST);
    conn_id c = world_open(world);
    world_say_resume(world, c, "tea", 2, WORLD_PROCESS);
    EXPECT_HEARD(room_rejoined("tea", 2, participant(1), true, false, WORLD_PROCESS), c);

    hub_set_cordon(world->hub, false);
    EXPECT(!hub_is_cordoned(world->hub));
    EXPECT_UINT(0, world->metrics.values[METRIC_CORDONED]);
    conn_id d = world_open(world);
    world_say_join(world, d, "coffee");
    EXPECT_HEARD(room_joined("coffee", 3, ""), d);
    world_free(world);
}

TEST(behind_a_cordon_a_token_of_another_process_makes_no_room_and_stays_good)
{
    struct world *world = calm_world();
    conn_id a = world_open(world);

    hub_set_cordon(world->hub, true);
    world_say_resume(world, a, "tea", 50, WORLD_PROCESS - 1);
    EXPECT_HEARD(error_of(ERR_HUB_FULL), a);
    EXPECT_GAUGES(0, 0, 0, 0);
    hub_set_cordon(world->hub, false);
    world_say_resume(world, a, "tea", 50, WORLD_PROCESS - 1);
    EXPECT(str_starts_with(world_take(world, a), STR("{\"type\":\"RoomJoined\"")));

    hub_set_cordon(world->hub, true);
    conn_id b = world_open(world);
    world_say_resume(world, b, "tea", 51, WORLD_PROCESS - 1);
    EXPECT(str_starts_with(world_take(world, b), STR("{\"type\":\"RoomJoined\"")));
    EXPECT_GAUGES(1, 2, 0, 0);
    world_free(world);
}
