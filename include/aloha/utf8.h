/* utf8: RFC 3629. */
#ifndef ALOHA_UTF8_H
#define ALOHA_UTF8_H

#include "aloha/str.h"

/* True when every byte belongs to a well-formed sequence: no overlong form, no surrogate, nothing
 * above U+10FFFF (RFC 3629 section 4). Plain ASCII is passed in blocks. */
bool utf8_is_valid(struct str text);

/* How many bytes at the end of text begin a sequence whose rest is not there: 0 to 3. A text that was cut
 * anywhere has such an end; what stands before it is for utf8_is_valid() to judge. */
size_t utf8_cut_size(struct str text);

/* Takes one scalar value off the front of *text, which must be valid and not empty. */
uint32_t utf8_take(struct str *text);

#endif
