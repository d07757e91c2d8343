/* str: text that belongs to somebody else, by address and length. It may hold NUL bytes. */
#ifndef ALOHA_STR_H
#define ALOHA_STR_H

#include "aloha/base.h"

#include <string.h>

/* Borrowed bytes: valid as long as what they point into. text may be NULL when size is 0. */
struct str {
    const char *text;
    size_t size;
};

/* A str over a string literal; its size is known to the compiler. */
#define STR(literal) (struct str){(literal), sizeof(literal) - 1}

struct str str_of(const char *text); /* up to its NUL; NULL gives the empty str */
/* In place: every member of every message is compared with the names in the tables, and most differ in
 * their sizes already. */
static inline bool str_equal(struct str a, struct str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.text, b.text, a.size) == 0);
}
bool str_equal_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_starts_with(struct str text, struct str prefix);

/* The part of text before the first `separator`, which is cut from *rest together with it; all of
 * it when there is none. An empty *rest gives an empty str. */
struct str str_cut(struct str *rest, char separator);

/* text without the spaces and tabs at both ends. */
struct str str_trim(struct str text);

/* Replaces everything but visible ASCII and spaces by '?', so that a text from outside cannot steer a terminal. */
void str_make_printable(char *text);

/* Reads decimal digits and nothing else.
 *   returns   true and *out when text is 1 to 19 digits and at most max. */
bool str_to_uint(struct str text, uint64_t max, uint64_t *out);

#endif
