/* message_decode() against the rules of docs/protocol.md, worked out anew over jansson's document:
 * the verdict is the same for every valid UTF-8 text. What is decoded are slices of the frame, each
 * one valid JSON value; what the type needs is there, what it does not know is not. */
#include "check.h"
#include "json_oracle.h"

#include "aloha/message.h"
#include "aloha/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_SIZE_MAX = 32 };

static const char *const member_names[MEMBER_COUNT] = {
    "roomId", "name", "resumeToken", "hello", "peerId", "message", "locked",
};

/* The types as docs/protocol.md has them: what must be a string, what may be anything. */
static const struct rule {
    const char *type;
    const char *strings[2], *boolean, *any;         /* must be there */
    const char *optional_strings[2], *optional_any; /* may be there */
} rules[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_JOIN_ROOM] = {.type = "JoinRoom",
                           .strings = {"roomId"},
                           .optional_strings = {"name", "resumeToken"},
                           .optional_any = "hello"},
    [MESSAGE_SIGNAL] = {.type = "Signal", .strings = {"peerId"}, .any = "message"},
    [MESSAGE_LEAVE_ROOM] = {.type = "LeaveRoom"},
    [MESSAGE_LOCK_ROOM] = {.type = "LockRoom", .boolean = "locked"},
    [MESSAGE_ADMIT] = {.type = "Admit", .strings = {"peerId"}},
    [MESSAGE_DENY] = {.type = "Deny", .strings = {"peerId"}},
    [MESSAGE_REFRESH_ICE_SERVERS] = {.type = "RefreshIceServers"},
};

static bool is_good_string(const json_t *root, const char *name, bool required)
{
    const json_t *value = name ? json_object_get(root, name) : NULL;
    return value ? json_is_string(value) : !name || !required;
}

static bool follows_rule(const json_t *root, const struct rule *rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(rule->strings); i++)
        if (!is_good_string(root, rule->strings[i], true) ||
            !is_good_string(root, rule->optional_strings[i], false))
            return false;
    if (rule->boolean && !json_is_boolean(json_object_get(root, rule->boolean)))
        return false;
    return !rule->any || json_object_get(root, rule->any);
}

/* The verdict on a frame that is one object within the limits. */
static enum err expect(const json_t *root, struct str type_text)
{
    char exact[TYPE_SIZE_MAX];
    const json_t *type = json_object_get(root, "type");

    if (!json_is_string(type) || json_string_length(type) > TYPE_SIZE_MAX ||
        json_string_read(type_text, exact, sizeof exact) < 0)
        return ERR_BAD_MESSAGE;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (strcmp(json_string_value(type), rules[i].type) == 0)
            return follows_rule(root, &rules[i]) ? OK : ERR_BAD_MESSAGE;
    return ERR_UNKNOWN_TYPE;
}

static bool is_known(const struct rule *rule, const char *name)
{
    const char *known[] = {rule->strings[0],  rule->strings[1],          rule->boolean,
                           rule->any,         rule->optional_strings[0], rule->optional_strings[1],
                           rule->optional_any};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i] && strcmp(known[i], name) == 0)
            return true;
    return false;
}

/* The slices are those values of the document, and no others. */
static void check_slices(const struct message *message, struct str text, const json_t *root)
{
    const struct rule *rule = &rules[message->type];

    CHECK(strcmp(message_type_name(message->type), rule->type) == 0);
    CHECK(strcmp(json_string_value(json_object_get(root, "type")), rule->type) == 0);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        struct str slice = message->members[i];
        const json_t *wanted =
            is_known(rule, member_names[i]) ? json_object_get(root, member_names[i]) : NULL;
        CHECK((slice.text != NULL) == (wanted != NULL));
        if (!wanted)
            continue;
        json_t *value = json_oracle_parse(slice);
        CHECK(check_is_inside(slice, text));
        CHECK(json_scan_value(slice));
        CHECK(value && json_equal(value, wanted));
        json_decref(value);
    }
}

/* Room ids and names are judged right behind the decoding, by what their strings spell. */
static void check_strings(const struct message *message)
{
    char bytes[1024];
    long size = json_string_read(message->members[MEMBER_ROOM_ID], bytes, sizeof bytes);

    if (size >= 0 && room_id_is_valid((struct str){bytes, (size_t)size})) {
        CHECK(size >= 1 && size <= 64);
        bytes[size] = '\0';
        CHECK(strspn(bytes, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") ==
              (size_t)size);
        CHECK(strcmp(bytes, ".") != 0 && strcmp(bytes, "..") != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = check_input(data, size);
    struct message message;

    if (!utf8_is_valid(text))
        return 0; /* the hub closes with 1007 before anything is decoded */

    enum err err = message_decode(&message, text);
    json_t *root = json_oracle_parse(text);
    struct json_outline *outline = calloc(1, sizeof *outline);
    if (!json_is_object(root)) {
        CHECK(err == ERR_BAD_MESSAGE);
    } else {
        CHECK(json_scan_object(text, json_outline_add, outline));
        if (json_outline_repeats(outline)) {
            CHECK(err == ERR_BAD_MESSAGE); /* whichever member it is */
        } else {
            const struct json_member *type = json_outline_find(outline, "type");
            CHECK(err == expect(root, type ? type->value : (struct str){NULL, 0}));
        }
    }
    if (err == OK) {
        check_slices(&message, text, root);
        if (message.type == MESSAGE_JOIN_ROOM)
            check_strings(&message);
    }
    free(outline);
    json_decref(root);
    return 0;
}
