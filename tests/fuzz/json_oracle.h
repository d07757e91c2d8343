/* json_oracle: what a JSON text is according to jansson, with the differences between jansson and
 * json.h taken out one by one rather than waved through:
 *
 *   - jansson refuses numbers that a double cannot hold; RFC 8259 section 6 lets any size pass;
 *   - jansson refuses \u0000 and unpaired surrogate escapes; RFC 8259 section 7 allows both;
 *   - jansson 2.14 does not see a NUL byte behind a number or a word (its lexer puts it back into a
 *     buffer where NUL means "empty"); RFC 8259 has no place for one anywhere;
 *   - jansson knows neither JSON_DEPTH_MAX nor JSON_MEMBERS_MAX.
 *
 * So a text with a NUL is none, and jansson gets a copy in which such numbers are smaller and such
 * escapes say \ufffd, spelled so that what was valid stays valid and what was not does not become
 * so; and depth and members are counted here. */
#ifndef ALOHA_FUZZ_JSON_ORACLE_H
#define ALOHA_FUZZ_JSON_ORACLE_H

#include "aloha/json.h"

#include <jansson.h>

/* The document that text (valid UTF-8) is; NULL when json_scan_value() must refuse it. A member
 * that comes twice has its last value. The caller lets go of it with json_decref(). */
json_t *json_oracle_parse(struct str text);

enum { JSON_OUTLINE_MAX = JSON_MEMBERS_MAX };

/* The members of the outermost object as json_scan_object() reports them. */
struct json_outline {
    struct json_member members[JSON_OUTLINE_MAX];
    size_t count;
    size_t stop_at; /* refuse the member of that number; 0 for never */
};

/* A json_member_fn that fills a struct json_outline. */
bool json_outline_add(void *outline, const struct json_member *member);

/* What the name of a member spells, as a JSON string of jansson's; NULL when it cannot be one. */
json_t *json_oracle_name(const struct json_member *member);

/* True when both have the same name, in whatever spelling (RFC 8259 section 8.3); escapes that no
 * UTF-8 text can spell, \u0000 and halves of pairs, count as what they are. */
bool json_oracle_same_name(const struct json_member *a, const struct json_member *b);

/* True when two of the members have the same name. */
bool json_outline_repeats(const struct json_outline *outline);

/* The only member of that name; NULL when there is none. */
const struct json_member *json_outline_find(const struct json_outline *outline, const char *name);

#endif
