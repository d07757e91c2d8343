/* message: what a frame must look like; what rooms and people may be called. */
#include "aloha/message.h"
#include "harness.h"

#include <stdio.h>

static const char *const wire_members[MEMBER_COUNT] = {
#define WIRE_NAME(name, wire, kind) [name] = wire,
    MEMBER_TABLE(WIRE_NAME)
#undef WIRE_NAME
};

static enum err decode(const char *text)
{
    struct message message;
    return message_decode(&message, str_of(text));
}

TEST(members_are_slices_of_the_frame)
{
    struct str text = STR(" {\"message\" : {\"a\": [1, 2.50]} , \"x\":1, \"peerId\":\"p\\u0031\","
                          "\"type\":\"Signal\"} ");
    struct message message;

    EXPECT_ERR(OK, message_decode(&message, text));
    EXPECT_UINT(MESSAGE_SIGNAL, message.type);
    EXPECT_STR("{\"a\": [1, 2.50]}", message.members[MEMBER_MESSAGE]);
    EXPECT_STR("\"p\\u0031\"", message.members[MEMBER_PEER_ID]);
    EXPECT(message.members[MEMBER_MESSAGE].text == text.text + 14);
}

TEST(members_of_other_types_are_as_if_they_were_not_there)
{
    struct message message;

    EXPECT_ERR(OK,
               message_decode(&message, STR("{\"type\":\"LeaveRoom\",\"roomId\":7,\"peerId\":[],"
                                            "\"message\":1,\"hello\":2,\"name\":3,"
                                            "\"locked\":null}")));
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        EXPECT_THAT(message.members[i].text == NULL, "%s", wire_members[i]);
}

TEST(optional_members_that_did_not_come_are_null)
{
    struct message message;

    EXPECT_ERR(OK, message_decode(&message, STR("{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}")));
    EXPECT_STR("\"tea\"", message.members[MEMBER_ROOM_ID]);
    EXPECT_NULL(message.members[MEMBER_NAME].text);
    EXPECT_NULL(message.members[MEMBER_HELLO].text);
    EXPECT_NULL(message.members[MEMBER_RESUME_TOKEN].text);
}

enum { KIND_STRING = 1, KIND_BOOLEAN = 2, KIND_OTHER = 4, KIND_ANY = 7 };

/* What each member may be; the sample is of that kind. */
static const struct {
    const char *sample;
    unsigned kinds;
} members[MEMBER_COUNT] = {
#define MEMBER_STRING              {"\"x\"", KIND_STRING}
#define MEMBER_BOOLEAN             {"true", KIND_BOOLEAN}
#define MEMBER_ANY                 {"\"x\"", KIND_ANY}
#define KIND_ROW(name, wire, kind) [name] = kind,
    MEMBER_TABLE(KIND_ROW)
#undef KIND_ROW
#undef MEMBER_STRING
#undef MEMBER_BOOLEAN
#undef MEMBER_ANY
};

static const struct {
    const char *type;
    unsigned required, optional;
} types[] = {
#define TYPE_ROW(name, wire, required, optional) {wire, required, optional},
    MESSAGE_TABLE(TYPE_ROW)
#undef TYPE_ROW
};

/* Writes a message of that type with a sample of every member but one, and leaves it open.
 *   returns   its size; a brace or another member may follow. */
static size_t write_all_but(char *text, size_t type, unsigned left_out)
{
    size_t size = (size_t)sprintf(text, "{\"type\":\"%s\"", types[type].type);

    for (unsigned i = 0; i < MEMBER_COUNT; i++)
        if (i != left_out)
            size += (size_t)sprintf(text + size, ",\"%s\":%s", wire_members[i], members[i].sample);
    return size;
}

TEST(each_needed_member_is_needed)
{
    char text[512];

    for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
        for (unsigned left_out = 0; left_out <= MEMBER_COUNT; left_out++) {
            bool needed = left_out < MEMBER_COUNT && (types[t].required & HAS(left_out));
            strcpy(text + write_all_but(text, t, left_out), "}");
            EXPECT_THAT(decode(text) == (needed ? ERR_BAD_MESSAGE : OK), "%s", text);
        }
    }
}

TEST(each_member_is_of_its_kind)
{
    static const struct {
        const char *json;
        unsigned kind;
    } values[] = {
        {"\"\"", KIND_STRING},   {"\"true\"", KIND_STRING}, {"true", KIND_BOOLEAN},
        {"false", KIND_BOOLEAN}, {"0", KIND_OTHER},         {"1", KIND_OTHER},
        {"null", KIND_OTHER},    {"{}", KIND_OTHER},        {"[true]", KIND_OTHER},
        {"[\"x\"]", KIND_OTHER},
    };
    char text[512];

    for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
        for (unsigned member = 0; member < MEMBER_COUNT; member++) {
            size_t size = write_all_but(text, t, member);
            bool wanted = (types[t].required | types[t].optional) & HAS(member);
            for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                sprintf(text + size, ",\"%s\":%s}", wire_members[member], values[v].json);
                bool good = !wanted || (members[member].kinds & values[v].kind);
                EXPECT_THAT(decode(text) == (good ? OK : ERR_BAD_MESSAGE), "%s", text);
            }
        }
    }
}

TEST(locking_and_unlocking_come_as_they_are_spelled)
{
    struct message message;

    EXPECT_ERR(OK, message_decode(&message, STR("{\"type\":\"LockRoom\",\"locked\": true }")));
    EXPECT_UINT(MESSAGE_LOCK_ROOM, message.type);
    EXPECT_STR("true", message.members[MEMBER_LOCKED]);
    EXPECT_ERR(OK, message_decode(&message, STR("{\"loc\\u006bed\":false,\"type\":\"LockRoom\"}")));
    EXPECT_STR("false", message.members[MEMBER_LOCKED]);
}

TEST(an_unknown_type_is_told_from_a_bad_message)
{
    EXPECT_ERR(ERR_UNKNOWN_TYPE, decode("{\"type\":\"Joinroom\"}"));
    EXPECT_ERR(ERR_UNKNOWN_TYPE, decode("{\"type\":\"\"}"));
    EXPECT_ERR(ERR_UNKNOWN_TYPE, decode("{\"type\":\"12345678901234567890123456789012\"}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"123456789012345678901234567890123\"}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":7}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"Type\":\"LeaveRoom\"}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"Joinroom\",}"));
}

TEST(names_spelled_with_escapes_are_the_same_names)
{
    struct message message;

    EXPECT_ERR(OK, message_decode(&message, STR("{\"\\u0074ype\":\"Leave\\u0052oom\"}")));
    EXPECT_UINT(MESSAGE_LEAVE_ROOM, message.type);
    EXPECT_ERR(OK, message_decode(&message,
                                  STR("{\"type\":\"JoinRoom\",\"\\u0072\\u006f\\u006f\\u006d\\u0049"
                                      "\\u0064\":\"tea\"}")));
    EXPECT_STR("\"tea\"", message.members[MEMBER_ROOM_ID]);
    EXPECT_ERR(OK, decode("{\"type\":\"LeaveRoom\",\"\\u0000\":1,\"\\ud800\":2}"));
}

TEST(the_same_member_twice_is_refused_in_every_spelling)
{
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"type\":\"LeaveRoom\"}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"typ\\u0065\":\"LeaveRoom\"}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"hello\":1,\"hello\":1}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"x\":1,\"x\":1}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"x\":1,\"y\":2,\"\\u0078\":3}"));
    EXPECT_ERR(ERR_BAD_MESSAGE, decode("{\"type\":\"LeaveRoom\",\"\":1,\"\":1}"));
    EXPECT_ERR(OK, decode("{\"type\":\"LeaveRoom\",\"x\":{\"y\":1,\"y\":1},\"y\":1}"));
}

TEST(each_type_has_the_name_it_decodes_from)
{
    for (int i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        struct message message;
        char text[512];
        strcpy(text + write_all_but(text, (size_t)i, MEMBER_COUNT), "}");
        EXPECT_STR(types[i].type, str_of(message_type_name((enum message_type)i)));
        EXPECT_ERR(OK, message_decode(&message, str_of(text)));
        EXPECT_UINT(i, message.type);
    }
}

/* ---- room ids ---- */

TEST(a_room_id_is_1_to_64_of_the_unreserved_characters)
{
    char id[65];

    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        bool allowed = c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789._~-",
                                   c);
        EXPECT_THAT(room_id_is_valid((struct str){text, 3}) == allowed, "%02x", (unsigned)c);
        EXPECT(room_id_is_valid((struct str){text + 1, 1}) == (allowed && c != '.'));
    }
    memset(id, 'a', sizeof id);
    EXPECT(room_id_is_valid((struct str){id, 64}));
    EXPECT(!room_id_is_valid((struct str){id, 65}));
    EXPECT(!room_id_is_valid((struct str){NULL, 0}));
}

TEST(dot_and_dot_dot_are_no_rooms_and_three_dots_are)
{
    EXPECT(!room_id_is_valid(STR(".")));
    EXPECT(!room_id_is_valid(STR("..")));
    EXPECT(room_id_is_valid(STR("...")));
    EXPECT(room_id_is_valid(STR(".a")));
    EXPECT(!room_id_is_valid(STR("..\0"))); /* compared by length, not up to a NUL */
}
