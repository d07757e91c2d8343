#include "aloha/message.h"

#include "aloha/json.h"

#include <string.h>

enum { TYPE_SIZE_MAX = 32 };

enum member_kind { MEMBER_STRING, MEMBER_BOOLEAN, MEMBER_ANY };

static const struct {
    struct str wire_name;
    enum member_kind kind;
} member_rows[MEMBER_COUNT] = {
#define MEMBER_ROW(name, wire, kind) [name] = {{wire, sizeof(wire) - 1}, kind},
    MEMBER_TABLE(MEMBER_ROW)
#undef MEMBER_ROW
};

static const struct {
    const char *wire_name;
    unsigned required, optional;
} message_rows[MESSAGE_TYPE_COUNT] = {
#define MESSAGE_ROW(name, wire, required, optional) [name] = {wire, required, optional},
    MESSAGE_TABLE(MESSAGE_ROW)
#undef MESSAGE_ROW
};

/* What the scan of the envelope has found so far. */
struct envelope {
    struct json_member type;
    struct json_member members[MEMBER_COUNT];
    uint64_t *others; /* room for JSON_VALUES_CEILING: hashes of the names that are none of ours */
    size_t other_count;
};

/* Finds the place for a member of that name; false when it is none of ours. */
static bool envelope_place(struct envelope *envelope, struct str name, struct json_member **out)
{
    *out = &envelope->type;
    if (str_equal(name, STR("type")))
        return true;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        *out = &envelope->members[i];
        if (str_equal(name, member_rows[i].wire_name))
            return true;
    }
    return false;
}

/* A name spelled with escapes ("t\u0079pe") is the same name: RFC 8259 section 8.3. What cannot be
 * read, or is longer than `out`, is none of ours and comes back empty. */
static struct str unescape_name(struct str name, char *out, size_t capacity)
{
    struct str quoted = {name.text - 1, name.size + 2}; /* the quotes are just outside the slice */
    long size = name.size > 6 * capacity ? -1 : json_string_read(quoted, out, capacity);
    return (struct str){out, size < 0 ? 0 : (size_t)size};
}

/* Remembers a member that is none of ours; false when one of that name was there before. */
static bool note_other(struct envelope *envelope, struct str name)
{
    uint64_t hash = json_name_hash(name);

    for (size_t i = 0; i < envelope->other_count; i++)
        if (envelope->others[i] == hash)
            return false;
    envelope->others[envelope->other_count++] = hash; /* the scan ends at bounds.values_max */
    return true;
}

static bool on_member(void *ctx, const struct json_member *member)
{
    char unescaped[64];
    struct envelope *envelope = ctx;
    struct str name = member->name;

    if (memchr(name.text, '\\', name.size))
        name = unescape_name(name, unescaped, sizeof unescaped);
    struct json_member *place;
    if (!envelope_place(envelope, name, &place))
        return note_other(envelope, member->name);
    if (place->value.text)
        return false; /* twice the same member */
    *place = *member;
    return true;
}

static enum err find_type(const struct json_member *type, enum message_type *out)
{
    char text[TYPE_SIZE_MAX];

    if (!type->value.text || type->kind != JSON_KIND_STRING)
        return ERR_BAD_MESSAGE;
    long size = json_string_read(type->value, text, sizeof text);
    if (size < 0)
        return ERR_BAD_MESSAGE;
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        if (str_equal((struct str){text, (size_t)size}, str_of(message_rows[i].wire_name))) {
            *out = (enum message_type)i;
            return OK;
        }
    }
    return ERR_UNKNOWN_TYPE;
}

static bool is_of_kind(const struct json_member *member, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_STRING:
        return member->kind == JSON_KIND_STRING;
    case MEMBER_BOOLEAN:
        return member->kind == JSON_KIND_TRUE || member->kind == JSON_KIND_FALSE;
    case MEMBER_ANY:
        break;
    }
    return true;
}

enum err message_decode(struct message *out, struct str text)
{
    return message_decode_within(out, text, (struct json_bounds){JSON_DEPTH_MAX, JSON_MEMBERS_MAX});
}

enum err message_decode_within(struct message *out, struct str text, struct json_bounds bounds)
{
    uint64_t others[JSON_VALUES_CEILING];
    struct envelope envelope = {.others = others};

    if (!json_scan_object_within(text, bounds, on_member, &envelope))
        return ERR_BAD_MESSAGE;
    enum err err = find_type(&envelope.type, &out->type);
    if (err)
        return err;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        const struct json_member *member = &envelope.members[i];
        bool required = message_rows[out->type].required & HAS(i);
        bool wanted = required || (message_rows[out->type].optional & HAS(i));
        bool present = member->value.text != NULL;

        out->members[i] = wanted ? member->value : (struct str){NULL, 0};
        if (required && !present)
            return ERR_BAD_MESSAGE;
        if (wanted && present && !is_of_kind(member, member_rows[i].kind))
            return ERR_BAD_MESSAGE;
    }
    return OK;
}

const char *message_type_name(enum message_type type)
{
    return message_rows[type].wire_name;
}

bool room_id_is_valid(struct str id)
{
    static const char others[] = "._~-";

    if (id.size == 0 || id.size > ROOM_ID_SIZE_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && !(c && strchr(others, c)))
            return false;
    }
    return !str_equal(id, STR(".")) && !str_equal(id, STR(".."));
}
