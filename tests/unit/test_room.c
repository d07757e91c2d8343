/* room: who is where. */
#include "aloha/room.h"
#include "harness.h"

static const struct siphash_key key = {1, 2};
enum { now_ms = 5000 };

static struct limits limits_of(uint32_t rooms_max, uint32_t room_peers_max)
{
    return (struct limits){.rooms_max = rooms_max, .room_peers_max = room_peers_max};
}

static const char *id(unsigned n)
{
    return fmt("00000000-0000-4000-8000-%012x", n);
}

static enum err join(struct rooms *rooms, const char *room, unsigned n, struct seat **seat)
{
    return rooms_join(rooms, str_of(room), id(n), (struct str){NULL, 0}, n, seat, now_ms);
}

TEST(a_room_comes_with_its_first_peer_and_goes_with_its_last)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c;

    EXPECT_UINT(0, rooms_count(rooms));
    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, join(rooms, "tea", 2, &b));
    EXPECT_ERR(OK, join(rooms, "coffee", 3, &c));
    EXPECT_UINT(2, rooms_count(rooms));
    EXPECT_UINT(2, room_seat_count(a));
    EXPECT_STR("tea", room_id(b));
    EXPECT_STR("coffee", room_id(c));

    rooms_leave(rooms, a);
    EXPECT_UINT(2, rooms_count(rooms));
    rooms_leave(rooms, b);
    EXPECT_UINT(1, rooms_count(rooms));
    rooms_leave(rooms, c);
    EXPECT_UINT(0, rooms_count(rooms));
    rooms_free(rooms);
}

TEST(seats_stand_in_the_order_of_joining)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *seats[5];
    static const unsigned order[] = {1, 3, 4, 2};

    for (unsigned n = 1; n <= 4; n++)
        EXPECT_ERR(OK, join(rooms, "tea", n, &seats[n]));
    rooms_leave(rooms, seats[2]);
    EXPECT_ERR(OK, join(rooms, "tea", 2, &seats[2]));

    const struct seat *seat = room_first_seat(seats[4]);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++, seat = seat->next) {
        EXPECT(seat != NULL);
        EXPECT_UINT(order[i], seat->conn);
        EXPECT_STR(id(order[i]), str_of(seat->peer_id));
    }
    EXPECT_NULL(seat);
    rooms_free(rooms);
}

TEST(full_room_refuses_and_stays_as_it_was)
{
    struct limits limits = limits_of(10, 2);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *late = NULL;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, join(rooms, "tea", 2, &b));
    EXPECT_ERR(ERR_ROOM_FULL, join(rooms, "tea", 3, &late));
    EXPECT_NULL(late);
    EXPECT_UINT(2, room_seat_count(a));
    EXPECT_NULL(room_find_seat(a, str_of(id(3))));

    rooms_leave(rooms, a);
    EXPECT_ERR(OK, join(rooms, "tea", 3, &late));
    rooms_free(rooms);
}

TEST(no_more_rooms_than_allowed_and_those_that_are_there_stay_open)
{
    struct limits limits = limits_of(2, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c = NULL;

    EXPECT_ERR(OK, join(rooms, "a", 1, &a));
    EXPECT_ERR(OK, join(rooms, "b", 2, &b));
    EXPECT_ERR(ERR_HUB_FULL, join(rooms, "c", 3, &c));
    EXPECT_NULL(c);
    EXPECT_UINT(2, rooms_count(rooms));
    EXPECT_ERR(OK, join(rooms, "b", 3, &c));
    rooms_leave(rooms, a);
    EXPECT_ERR(OK, join(rooms, "c", 4, &a));
    rooms_free(rooms);
}

TEST(room_ids_differ_by_every_byte_and_by_length)
{
    struct limits limits = limits_of(10, 1);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *seat;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &seat));
    EXPECT_ERR(OK, join(rooms, "Tea", 2, &seat));
    EXPECT_ERR(OK, join(rooms, "te", 3, &seat));
    EXPECT_ERR(OK, join(rooms, "tea-", 4, &seat));
    EXPECT_UINT(4, rooms_count(rooms));
    rooms_free(rooms);
}

TEST(a_seat_is_found_by_its_whole_id_in_its_own_room_only)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *elsewhere;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, join(rooms, "tea", 2, &b));
    EXPECT_ERR(OK, join(rooms, "coffee", 3, &elsewhere));
    EXPECT(room_find_seat(a, str_of(id(2))) == b);
    EXPECT(room_find_seat(a, str_of(id(1))) == a);
    EXPECT_NULL(room_find_seat(a, str_of(id(3))));
    EXPECT_NULL(room_find_seat(a, (struct str){id(2), PEER_ID_SIZE - 1}));
    EXPECT_NULL(room_find_seat(a, (struct str){id(2), PEER_ID_SIZE + 1}));
    EXPECT_NULL(room_find_seat(a, (struct str){NULL, 0}));
    rooms_free(rooms);
}

TEST(a_seat_keeps_its_own_copy_of_the_name)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    char name[] = "\"Mele\"";
    struct seat *seat;

    EXPECT_ERR(OK, rooms_join(rooms, STR("tea"), id(1), str_of(name), 1, &seat, now_ms));
    memset(name, 'x', sizeof name - 1);
    EXPECT_STR("\"Mele\"", seat->name_json);
    rooms_free(rooms);
}

/* ---- the door ---- */

static enum err knock(struct rooms *rooms, const char *room, unsigned n, struct seat **seat)
{
    return rooms_knock(rooms, str_of(room), id(n), (struct str){NULL, 0}, n, seat, now_ms);
}

TEST(who_knocks_has_a_place_outside_and_none_inside)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    EXPECT_ERR(OK, knock(rooms, "tea", 3, &c));
    EXPECT(!a->knocking && b->knocking && c->knocking);
    EXPECT_UINT(1, room_seat_count(b));
    EXPECT(room_first_seat(c) == a && !a->next);
    EXPECT(room_first_knock(a) == b && b->next == c && !c->next);
    EXPECT(room_find_knock(a, str_of(id(3))) == c);
    EXPECT_NULL(room_find_seat(a, str_of(id(3))));
    EXPECT_NULL(room_find_knock(a, str_of(id(1))));
    EXPECT_NULL(room_find_knock(a, (struct str){id(2), PEER_ID_SIZE - 1}));
    EXPECT_STR("tea", room_id(b));

    EXPECT_ERR(OK, rooms_admit(rooms, c, now_ms));
    EXPECT(!c->knocking && a->next == c);
    EXPECT(room_find_seat(a, str_of(id(3))) == c);
    EXPECT_UINT(2, room_seat_count(a));
    EXPECT(room_first_knock(a) == b && !b->next);
    rooms_free(rooms);
}

TEST(nobody_knocks_at_a_room_that_is_not_there)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *seat = NULL;

    EXPECT_ERR(ERR_ROOM_FULL, knock(rooms, "tea", 1, &seat));
    EXPECT_NULL(seat);
    EXPECT_UINT(0, rooms_count(rooms));
    rooms_free(rooms);
}

TEST(the_door_and_the_room_have_as_many_places)
{
    struct limits limits = limits_of(10, 2);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c, *late = NULL;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    EXPECT_ERR(OK, knock(rooms, "tea", 3, &c));
    EXPECT_ERR(ERR_ROOM_FULL, knock(rooms, "tea", 4, &late));
    EXPECT_ERR(OK, rooms_admit(rooms, b, now_ms));
    EXPECT_ERR(ERR_ROOM_FULL, rooms_admit(rooms, c, now_ms));
    EXPECT(c->knocking && room_first_knock(a) == c);
    EXPECT_ERR(ERR_ROOM_FULL,
               knock(rooms, "tea", 4, &late)); /* there is a place, but the room is full */
    EXPECT_NULL(late);
    rooms_leave(rooms, a);
    EXPECT_ERR(OK, knock(rooms, "tea", 4, &late));
    rooms_leave(rooms, late);
    EXPECT_ERR(OK, rooms_admit(rooms, c, now_ms));
    EXPECT_NULL(room_first_knock(c));
    rooms_free(rooms);
}

TEST(a_room_stays_as_long_as_somebody_is_in_it_or_at_its_door)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b;

    EXPECT(!rooms_exists(rooms, STR("tea")));
    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    EXPECT(rooms_exists(rooms, STR("tea")));
    rooms_leave(rooms, a);
    EXPECT_UINT(0, room_seat_count(b));
    EXPECT(rooms_exists(rooms, STR("tea")));
    rooms_leave(rooms, b);
    EXPECT(!rooms_exists(rooms, STR("tea")));
    EXPECT_UINT(0, rooms_count(rooms));

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    rooms_leave(rooms, b);
    EXPECT_UINT(1, rooms_count(rooms));
    EXPECT_NULL(room_first_knock(a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    rooms_free(rooms); /* with a knock */
}

TEST(a_lock_is_the_rooms_own)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c;

    EXPECT(!rooms_is_locked(rooms, STR("tea")));
    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, join(rooms, "coffee", 2, &b));
    EXPECT(!room_is_locked(a));
    room_set_locked(a, true);
    EXPECT_ERR(OK, knock(rooms, "tea", 3, &c));
    EXPECT(room_is_locked(c) && rooms_is_locked(rooms, STR("tea")));
    EXPECT(!room_is_locked(b) && !rooms_is_locked(rooms, STR("coffee")));
    room_set_locked(c, false);
    EXPECT(!rooms_is_locked(rooms, STR("tea")));
    rooms_free(rooms);
}

TEST(a_seat_is_found_by_its_room_and_its_id)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    EXPECT_ERR(OK, join(rooms, "coffee", 2, &b));
    EXPECT_ERR(OK, knock(rooms, "tea", 3, &c));
    EXPECT(rooms_find_seat(rooms, STR("tea"), str_of(id(1))) == a);
    EXPECT(rooms_find_seat(rooms, STR("coffee"), str_of(id(2))) == b);
    EXPECT_NULL(rooms_find_seat(rooms, STR("coffee"), str_of(id(1))));
    EXPECT_NULL(rooms_find_seat(rooms, STR("milk"), str_of(id(1))));
    EXPECT_NULL(rooms_find_seat(rooms, STR("tea"), str_of(id(3)))); /* knocks */
    EXPECT_NULL(rooms_find_seat(rooms, STR("tea"), (struct str){NULL, 0}));
    rooms_free(rooms);
}

TEST(a_knock_without_memory_changes_nothing)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b = NULL;

    EXPECT_ERR(OK, join(rooms, "tea", 1, &a));
    fail_allocation(1);
    EXPECT_ERR(ERR_NO_MEMORY, knock(rooms, "tea", 2, &b));
    fail_allocation(0);
    EXPECT(!b && !room_first_knock(a));
    EXPECT_ERR(OK, knock(rooms, "tea", 2, &b));
    fail_allocation(1);
    EXPECT_ERR(OK, rooms_admit(rooms, b, now_ms)); /* needs none */
    fail_allocation(0);
    rooms_free(rooms);
}

TEST(many_rooms_are_all_found_again)
{
    enum { MANY = 3000 };
    struct limits limits = limits_of(MANY, 2);
    struct rooms *rooms = rooms_new(&limits, key);
    static struct seat *first[MANY];
    struct seat *second;

    for (unsigned n = 0; n < MANY; n++)
        EXPECT_ERR(OK, join(rooms, fmt("room-%u", n), n, &first[n]));
    EXPECT_UINT(MANY, rooms_count(rooms));
    for (unsigned n = 0; n < MANY; n++) {
        EXPECT_ERR(OK, join(rooms, fmt("room-%u", n), MANY + n, &second));
        EXPECT(room_first_seat(second) == first[n]);
    }
    EXPECT_UINT(MANY, rooms_count(rooms));
    rooms_free(rooms);
}

/* The table grows now and then: at some join, growing is what fails. */
TEST(without_memory_nobody_joins_and_nothing_changes)
{
    enum { MANY = 700 };
    struct limits limits = limits_of(MANY, 2);
    struct rooms *rooms = rooms_new(&limits, key);
    unsigned failures = 0;

    for (unsigned n = 0; n < MANY; n++) {
        for (unsigned fails = 1;; fails++) {
            struct seat *seat = NULL;
            fail_allocation(fails);
            enum err err = join(rooms, fmt("room-%u", n), n, &seat);
            bool failed = allocation_has_failed();
            fail_allocation(0);
            if (!failed) {
                EXPECT_ERR(OK, err);
                break;
            }
            failures++;
            if (err == OK) { /* it did without: a bigger table is a wish, not a need */
                EXPECT(seat != NULL);
                break;
            }
            EXPECT_ERR(ERR_NO_MEMORY, err);
            EXPECT_NULL(seat);
            EXPECT_UINT(n, rooms_count(rooms));
        }
        EXPECT_UINT(n + 1, rooms_count(rooms));
    }
    EXPECT(failures >= 2 * MANY);
    for (unsigned n = 0; n < MANY; n++) {
        struct seat *seat;
        EXPECT_ERR(OK, join(rooms, fmt("room-%u", n), MANY + n, &seat));
        EXPECT_UINT(2, room_seat_count(seat));
    }
    rooms_free(rooms);
}

TEST(without_memory_there_are_no_rooms_at_all)
{
    struct limits limits = limits_of(1, 1);

    fail_allocation(1);
    EXPECT_NULL(rooms_new(&limits, key));
    rooms_free(NULL);
}

static const char *numbers(const struct rooms *rooms, uint64_t after)
{
    const char *text = "";

    for (struct seat *any = rooms_after(rooms, after); any; any = rooms_next(any))
        text = fmt("%s%llu=%.*s ", text, (unsigned long long)room_number(any),
                   (int)room_id(any).size, room_id(any).text);
    return text;
}

TEST(rooms_are_gone_through_in_the_order_of_their_making_and_numbers_are_not_used_again)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *c, *outside;

    EXPECT_STR("", str_of(numbers(rooms, 0)));
    EXPECT_ERR(OK, join(rooms, "a", 1, &a));
    EXPECT_ERR(OK, join(rooms, "b", 2, &b));
    EXPECT_ERR(OK, knock(rooms, "a", 3, &outside));
    EXPECT_ERR(OK, join(rooms, "c", 4, &c));
    EXPECT_STR("1=a 2=b 3=c ", str_of(numbers(rooms, 0)));
    EXPECT_STR("2=b 3=c ", str_of(numbers(rooms, 1)));
    rooms_leave(rooms, b);
    EXPECT_STR("3=c ", str_of(numbers(rooms, 1)));
    EXPECT_STR("", str_of(numbers(rooms, 3)));
    EXPECT_ERR(OK, join(rooms, "b", 2, &b));
    EXPECT_STR("1=a 3=c 4=b ", str_of(numbers(rooms, 0)));
    rooms_leave(rooms, a); /* one still knocks: there is a room */
    EXPECT_STR("1=a 3=c 4=b ", str_of(numbers(rooms, 0)));
    EXPECT_UINT(1, room_knock_count(outside));
    rooms_leave(rooms, outside);
    EXPECT_STR("3=c 4=b ", str_of(numbers(rooms, 0)));
    rooms_free(rooms);
}

TEST(a_room_and_a_peer_are_found_from_outside)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b, *outside;

    EXPECT_NULL(rooms_any_seat(rooms, STR("a")));
    EXPECT_NULL(rooms_find_peer(rooms, str_of(id(1))));
    EXPECT_ERR(OK, join(rooms, "a", 1, &a));
    EXPECT_ERR(OK, join(rooms, "b", 2, &b));
    EXPECT_ERR(OK, knock(rooms, "b", 3, &outside));
    EXPECT(rooms_any_seat(rooms, STR("a")) == a);
    EXPECT(rooms_find_peer(rooms, str_of(id(1))) == a);
    EXPECT(rooms_find_peer(rooms, str_of(id(2))) == b);
    EXPECT(rooms_find_peer(rooms, str_of(id(3))) == outside);
    EXPECT_NULL(rooms_find_peer(rooms, str_of(id(4))));
    EXPECT_NULL(rooms_find_peer(rooms, STR("")));
    EXPECT_STR("b", room_id(rooms_any_seat(rooms, STR("b"))));
    EXPECT_NULL(rooms_any_seat(rooms, STR("B")));
    rooms_free(rooms);
}

TEST(seats_and_rooms_know_since_when_they_are_there)
{
    struct limits limits = limits_of(10, 10);
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *a, *b;

    EXPECT_ERR(OK, rooms_join(rooms, STR("a"), id(1), STR(""), 1, &a, 100));
    EXPECT_ERR(OK, rooms_knock(rooms, STR("a"), id(2), STR(""), 2, &b, 200));
    EXPECT_UINT(200, b->since_ms);
    EXPECT_ERR(OK, rooms_admit(rooms, b, 300));
    EXPECT_UINT(100, a->since_ms);
    EXPECT_UINT(300, b->since_ms);
    rooms_leave(rooms, a);
    EXPECT_UINT(100, room_since_ms(b));
    rooms_free(rooms);
}
