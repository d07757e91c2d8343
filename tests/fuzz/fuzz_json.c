/* json_scan_value() and json_scan_object() against jansson: for valid UTF-8 the verdicts agree, in
 * both directions, but for the differences that json_oracle.h takes out; the members that are
 * reported put the document together again; strings read as jansson reads them. */
#include "check.h"
#include "json_oracle.h"

#include "aloha/utf8.h"

#include <stdlib.h>
#include <string.h>

static bool is_kind(const json_t *value, enum json_kind kind)
{
    switch (kind) {
    case JSON_KIND_OBJECT:
        return json_is_object(value);
    case JSON_KIND_ARRAY:
        return json_is_array(value);
    case JSON_KIND_STRING:
        return json_is_string(value);
    case JSON_KIND_NUMBER:
        return json_is_number(value);
    case JSON_KIND_TRUE:
        return json_is_true(value);
    case JSON_KIND_FALSE:
        return json_is_false(value);
    case JSON_KIND_NULL:
        return json_is_null(value);
    }
    return false;
}

/* What was read is written again into memory of exactly that size, and is the same string. */
static void check_write(struct str spelled)
{
    char full[1024];
    long size = json_string_write(spelled, full, sizeof full);

    if (size < 0) { /* \u00xx is the longest that a byte becomes */
        CHECK(6 * spelled.size + 2 > sizeof full);
        return;
    }
    char *exact = malloc((size_t)size);
    CHECK(json_string_write(spelled, exact, (size_t)size) == size);
    CHECK(memcmp(exact, full, (size_t)size) == 0);
    CHECK(json_string_write(spelled, exact, (size_t)size - 1) == -1);
    json_t *again = json_loadb(full, (size_t)size, JSON_DECODE_ANY, NULL);
    CHECK(again && json_string_length(again) == spelled.size);
    CHECK(memcmp(json_string_value(again), spelled.text, spelled.size) == 0);
    json_decref(again);
    free(exact);
}

static void check_string(struct str text)
{
    char out[256];
    json_t *string = json_loadb(text.text, text.size, JSON_DECODE_ANY, NULL);
    bool readable = string && json_string_length(string) <= sizeof out;
    long size = json_string_read(text, out, sizeof out);

    CHECK(readable == (size >= 0));
    if (readable) {
        struct str spelled = {out, (size_t)size};
        CHECK(json_string_length(string) == spelled.size);
        CHECK(memcmp(json_string_value(string), out, spelled.size) == 0);
        CHECK(utf8_is_valid(spelled));
        check_write(spelled);
        CHECK(size == 0 || json_string_read(text, out, (size_t)size - 1) == -1);
    }
    json_decref(string);
}

static struct str without_space(struct str text)
{
    while (strchr(" \t\r\n", text.text[0]))
        text = (struct str){text.text + 1, text.size - 1};
    while (strchr(" \t\r\n", text.text[text.size - 1]))
        text.size--;
    return text;
}

/* The slices alone make the document again: each is one whole value, none is left out. */
static void check_members(struct str text, const struct json_outline *outline, const json_t *root)
{
    json_t *built = json_object();

    for (size_t i = 0; i < outline->count; i++) {
        const struct json_member *member = &outline->members[i];
        json_t *name = json_oracle_name(member);
        json_t *value = json_oracle_parse(member->value);
        CHECK(name && value);
        CHECK(json_scan_value(member->value));
        CHECK(is_kind(value, member->kind));
        CHECK(check_is_inside(member->name, text) && check_is_inside(member->value, text));
        CHECK(!strchr(" \t\r\n", member->value.text[0]));
        CHECK(!strchr(" \t\r\n", member->value.text[member->value.size - 1]));
        if (member->kind == JSON_KIND_STRING)
            check_string(member->value);
        CHECK(json_object_setn_new(built, json_string_value(name), json_string_length(name),
                                   value) == 0);
        json_decref(name);
    }
    CHECK(json_equal(built, root));
    json_decref(built);
}

/* Neighbours' names hash alike exactly when they are the same. */
static void check_hashes(const struct json_outline *outline)
{
    for (size_t i = 1; i < outline->count; i++) {
        const struct json_member *a = &outline->members[i - 1], *b = &outline->members[i];
        bool alike = json_name_hash(a->name) == json_name_hash(b->name);
        CHECK(alike == json_oracle_same_name(a, b));
    }
}

/* A callback that says no ends the scan there. */
static void check_stop(struct str text, size_t count)
{
    struct json_outline *outline = calloc(1, sizeof *outline);

    outline->stop_at = count;
    CHECK(!json_scan_object(text, json_outline_add, outline));
    CHECK(outline->count == count);
    free(outline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = check_input(data, size);
    struct json_outline *outline = calloc(1, sizeof *outline);
    bool is_object = json_scan_object(text, json_outline_add, outline);
    bool is_value = json_scan_value(text);

    if (utf8_is_valid(
            text)) { /* what the scan asks for; without it there is no crash, that is all */
        json_t *root = json_oracle_parse(text);
        CHECK(is_value == (root != NULL));
        CHECK(is_object == json_is_object(root));
        if (is_object) {
            check_members(text, outline, root);
            check_hashes(outline);
        } else if (json_is_string(root))
            check_string(without_space(text));
        json_decref(root);
    }
    if (is_object && outline->count) {
        check_stop(text, 1);
        check_stop(text, outline->count);
    }
    free(outline);
    return 0;
}
