/* encode: what the hub says is JSON, and says what it should. */
#include "aloha/encode.h"
#include "harness.h"

#include <jansson.h>

static const struct siphash_key key = {1, 2};

static struct limits limits = {.rooms_max = 10, .room_peers_max = 50};

static const char *id(unsigned n)
{
    return fmt("00000000-0000-4000-8000-%012x", n);
}

static struct seat *join(struct rooms *rooms, unsigned n, const char *name)
{
    struct seat *seat = NULL;
    if (rooms_join(rooms, STR("a~b.c_d-"), id(n), str_of(name), n, &seat, 0) != OK)
        abort();
    return seat;
}

static json_t *parse(const struct buf *buf)
{
    return json_loadb(buf->data, buf->size, JSON_REJECT_DUPLICATES, NULL);
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "(none)";
}

TEST(room_joined_is_as_the_protocol_has_it)
{
    struct rooms *rooms = rooms_new(&limits, key);
    struct buf out;

    buf_init(&out, 65536);
    join(rooms, 1, "\"M\\\"ele\"");
    struct seat *self = join(rooms, 2, NULL);
    join(rooms, 3, NULL);
    struct joined joined = {.token = STR("a-token_"), .limits_json = STR("{\"a\":1}")};
    encode_room_joined(&out, self, &joined);
    json_t *json = parse(&out);
    EXPECT(json != NULL);
    EXPECT_UINT(9, json_object_size(json));
    EXPECT_STR("RoomJoined", str_of(member(json, "type")));
    EXPECT_STR("a~b.c_d-", str_of(member(json, "roomId")));
    EXPECT_STR(id(2), str_of(member(json, "peerId")));
    EXPECT_STR("a-token_", str_of(member(json, "resumeToken")));
    EXPECT(json_is_false(json_object_get(json, "resumed")));
    EXPECT(json_is_false(json_object_get(json, "locked")));
    EXPECT(json_is_array(json_object_get(json, "iceServers")));
    json_t *participants = json_object_get(json, "participants");
    EXPECT_UINT(2, json_array_size(participants));
    EXPECT_STR(id(1), str_of(member(json_array_get(participants, 0), "peerId")));
    EXPECT_STR("M\"ele", str_of(member(json_array_get(participants, 0), "name")));
    EXPECT_STR(id(3), str_of(member(json_array_get(participants, 1), "peerId")));
    EXPECT_UINT(1, json_object_size(json_array_get(participants, 1)));
    EXPECT_UINT(1, json_integer_value(json_object_get(json_object_get(json, "limits"), "a")));
    json_decref(json);
    buf_deinit(&out);
    rooms_free(rooms);
}

TEST(room_joined_says_who_came_back_and_whether_it_is_locked)
{
    struct rooms *rooms = rooms_new(&limits, key);
    struct buf out;

    buf_init(&out, 65536);
    struct seat *self = join(rooms, 1, NULL);
    for (unsigned bits = 0; bits < 4; bits++) {
        struct joined joined = {.token = STR("t"), .limits_json = STR("{}"), .resumed = bits & 1};
        room_set_locked(self, bits & 2);
        encode_room_joined(&out, self, &joined);
        json_t *json = parse(&out);
        EXPECT(json != NULL);
        EXPECT(json_is_true(json_object_get(json, "resumed")) == !!(bits & 1));
        EXPECT(json_is_true(json_object_get(json, "locked")) == !!(bits & 2));
        json_decref(json);
    }
    buf_deinit(&out);
    rooms_free(rooms);
}

/* Seats: 1 joined here, 2 and 3 come from process 8, 4 from process 9. */
TEST(who_is_restored_is_told_to_all_but_those_of_his_own_process)
{
    static const uint64_t processes[] = {0, 0, 8, 8, 9};
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *seats[5] = {NULL};
    struct buf out;

    buf_init(&out, 65536);
    for (unsigned n = 1; n <= 4; n++) {
        seats[n] = join(rooms, n, NULL);
        seats[n]->process = processes[n];
    }
    for (unsigned n = 2; n <= 4; n++)
        for (unsigned other = 1; other <= 4; other++)
            EXPECT(encode_is_told(seats[n], seats[other]) == (processes[n] != processes[other]));

    struct joined joined = {.token = STR("t"),
                            .limits_json = STR("{}"),
                            .resumed = true,
                            .restored = true};
    encode_room_joined(&out, seats[2], &joined);
    json_t *json = parse(&out);
    json_t *participants = json_object_get(json, "participants");
    EXPECT_UINT(3, json_array_size(participants));
    EXPECT(json_is_true(json_object_get(json_array_get(participants, 0), "offers")));
    EXPECT_NULL(json_object_get(json_array_get(participants, 1), "offers"));
    EXPECT(json_is_true(json_object_get(json_array_get(participants, 2), "offers")));
    json_decref(json);

    joined.restored = false;
    encode_room_joined(&out, seats[2], &joined);
    buf_add(&out, (struct str){"", 1});
    EXPECT_NULL(strstr(out.data, "offers"));
    buf_deinit(&out);
    rooms_free(rooms);
}

TEST(user_joined_carries_name_and_hello_only_when_they_are_there)
{
    static const char *const names[] = {"", "\"Mele\""}, *const hellos[] = {"", "{\"a\":[1]}"};
    struct buf out;

    buf_init(&out, 65536);
    for (size_t n = 0; n < 2; n++) {
        for (size_t h = 0; h < 2; h++) {
            struct rooms *rooms = rooms_new(&limits, key);
            encode_user_joined(&out, join(rooms, 1, names[n]), str_of(hellos[h]));
            json_t *json = parse(&out);
            EXPECT(json != NULL);
            EXPECT_UINT(2 + n + h, json_object_size(json));
            EXPECT_STR("UserJoined", str_of(member(json, "type")));
            EXPECT_STR(id(1), str_of(member(json, "peerId")));
            EXPECT_STR(n ? "Mele" : "(none)", str_of(member(json, "name")));
            EXPECT(!h == !json_object_get(json, "hello"));
            json_decref(json);
            rooms_free(rooms);
        }
    }
    buf_deinit(&out);
}

TEST(user_left_says_who_and_why)
{
    struct buf out;

    buf_init(&out, 65536);
    encode_user_left(&out, id(7), "timeout");
    EXPECT_STR(fmt("{\"type\":\"UserLeft\",\"peerId\":\"%s\",\"reason\":\"timeout\"}", id(7)),
               buf_str(&out));
    buf_deinit(&out);
}

TEST(what_is_said_of_locks_knocks_and_the_rest_is_word_for_word_this)
{
    struct rooms *rooms = rooms_new(&limits, key);
    struct seat *seat = join(rooms, 7, "\"Mele\""), *nameless = join(rooms, 8, NULL);
    struct buf out;

    buf_init(&out, 65536);
    encode_room_locked(&out, seat);
    EXPECT_STR(fmt("{\"type\":\"RoomLocked\",\"locked\":false,\"peerId\":\"%s\"}", id(7)),
               buf_str(&out));
    room_set_locked(seat, true);
    encode_room_locked(&out, nameless);
    EXPECT_STR(fmt("{\"type\":\"RoomLocked\",\"locked\":true,\"peerId\":\"%s\"}", id(8)),
               buf_str(&out));
    encode_waiting(&out);
    EXPECT_STR("{\"type\":\"Waiting\"}", buf_str(&out));
    encode_knock(&out, seat);
    EXPECT_STR(fmt("{\"type\":\"Knock\",\"peerId\":\"%s\",\"name\":\"Mele\"}", id(7)),
               buf_str(&out));
    encode_knock(&out, nameless);
    EXPECT_STR(fmt("{\"type\":\"Knock\",\"peerId\":\"%s\"}", id(8)), buf_str(&out));
    encode_knock_ended(&out, id(7));
    EXPECT_STR(fmt("{\"type\":\"KnockEnded\",\"peerId\":\"%s\"}", id(7)), buf_str(&out));
    encode_ice_servers(&out);
    EXPECT_STR("{\"type\":\"IceServers\",\"iceServers\":[]}", buf_str(&out));
    encode_reconnect(&out, 0);
    EXPECT_STR("{\"type\":\"Reconnect\",\"afterMs\":0}", buf_str(&out));
    encode_reconnect(&out, 300000);
    EXPECT_STR("{\"type\":\"Reconnect\",\"afterMs\":300000}", buf_str(&out));
    buf_deinit(&out);
    rooms_free(rooms);
}

TEST(every_error_is_json_of_its_code_and_text)
{
    struct buf out;

    buf_init(&out, 65536);
    for (int i = OK + 1; i < ERR_COUNT; i++) {
        encode_error(&out, (enum err)i, (struct str){NULL, 0}, 0);
        json_t *json = parse(&out);
        EXPECT(json != NULL);
        EXPECT_UINT(3, json_object_size(json));
        EXPECT_STR("Error", str_of(member(json, "type")));
        EXPECT_STR(err_wire_name((enum err)i), str_of(member(json, "code")));
        EXPECT_STR(err_text((enum err)i), str_of(member(json, "message")));
        json_decref(json);
    }
    buf_deinit(&out);
}

TEST(an_error_repeats_a_peer_id_and_nothing_else)
{
    static const struct str others[] = {
        ROW_STR(""),
        ROW_STR("\",\"code\":\"x"),
        ROW_STR("00000000-0000-4000-8000-00000000000\""),
        ROW_STR("00000000-0000-4000-8000-00000000000\\"),
        ROW_STR("00000000-0000-4000-8000-00000000000\n"),
        ROW_STR("00000000-0000-4000-8000-0000000000\0a"),
        ROW_STR("00000000-0000-4000-8000-0000000000001"),
    };
    struct buf out;

    buf_init(&out, 65536);
    encode_error(&out, ERR_UNKNOWN_PEER, str_of(id(7)), 1500);
    json_t *json = parse(&out);
    EXPECT_STR(id(7), str_of(member(json, "peerId")));
    EXPECT_UINT(1500, json_integer_value(json_object_get(json, "retryAfterMs")));
    json_decref(json);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        encode_error(&out, ERR_UNKNOWN_PEER, others[i], 0);
        json = parse(&out);
        EXPECT(json != NULL);
        EXPECT_UINT(3, json_object_size(json));
        json_decref(json);
    }
    buf_deinit(&out);
}

TEST(each_message_begins_anew_and_a_lack_of_room_shows)
{
    struct buf out, small;

    buf_init(&out, 65536);
    encode_user_left(&out, id(7), "left");
    encode_user_left(&out, id(8), "left");
    EXPECT_STR(fmt("{\"type\":\"UserLeft\",\"peerId\":\"%s\",\"reason\":\"left\"}", id(8)),
               buf_str(&out));
    buf_deinit(&out);

    buf_init(&small, 20);
    encode_user_left(&small, id(7), "left");
    EXPECT(small.failed);
    buf_deinit(&small);
}
