/* json: finds its way through JSON text without building anything (RFC 8259).
 *
 * The relay path needs one answer: where in the bytes does each member of the envelope begin and
 * end, and is all of it one valid value? So a Signal is relayed by copying the bytes of its
 * `message`. jansson writes the strings that the hub itself says. */
#ifndef ALOHA_JSON_H
#define ALOHA_JSON_H

#include "aloha/str.h"

/* How much of it there may be in one text. */
struct json_bounds {
    uint32_t depth_max;  /* nested arrays and objects; at most JSON_DEPTH_CEILING */
    uint32_t values_max; /* members of objects plus elements of arrays, over all */
};

enum {
    JSON_DEPTH_MAX = 16,     /* when nobody says otherwise */
    JSON_MEMBERS_MAX = 512,  /* likewise, of json_bounds.values_max */
    JSON_DEPTH_CEILING = 64, /* what may be said: the scan calls itself so deep */
    JSON_VALUES_CEILING = 2048,
};

enum json_kind {
    JSON_KIND_OBJECT,
    JSON_KIND_ARRAY,
    JSON_KIND_STRING,
    JSON_KIND_NUMBER,
    JSON_KIND_TRUE,
    JSON_KIND_FALSE,
    JSON_KIND_NULL,
};

/* One member of the outermost object; both parts point into the scanned text. */
struct json_member {
    struct str name; /* as spelled between the quotes, escapes and all */
    struct str value;
    enum json_kind kind;
};

/* Called for each member of the outermost object, in order.
 *   returns   false to stop the scan; json_scan_object() then returns false. */
typedef bool json_member_fn(void *ctx, const struct json_member *member);

/* True when text is exactly one JSON object, with white space around it at most, within the bounds. text must be valid UTF-8. Numbers are judged by the grammar, whatever their size; escaped
 * surrogates need not pair and \u0000 is allowed, as RFC 8259 section 7 has it. */
MUST_USE bool json_scan_object_within(struct str text, struct json_bounds bounds,
                                      json_member_fn *on_member, void *ctx);
MUST_USE bool json_scan_object(struct str text, json_member_fn *on_member, void *ctx);

/* True when text is exactly one JSON value of any type under the same rules. */
MUST_USE bool json_scan_value(struct str text);

/* Writes what the JSON string `text` (scanned, with its quotes) spells into `out`.
 *   returns   its size, or -1: more than `capacity` bytes, \u0000, an unpaired surrogate;
 *             what `out` holds then means nothing. The bytes are valid UTF-8, not terminated. */
MUST_USE long json_string_read(struct str text, char *out, size_t capacity);

/* A number that is the same for all spellings of a member's name (scanned, as in struct
 * json_member). Two names with the same number are the same but for one chance in 2^64, or
 * somebody's effort to have his own message refused. */
uint64_t json_name_hash(struct str name);

/* Writes `text` (valid UTF-8) as a JSON string with its quotes into `out`.
 *   returns   its size, or -1 when it does not fit or there is no memory. */
MUST_USE long json_string_write(struct str text, char *out, size_t capacity);

#endif
