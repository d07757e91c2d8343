/* name: what a peer calls itself, in the one form in which it is kept and shown to others.
 * spec: docs/protocol.md, "JoinRoom"; docs/security.md R36; docs/adr/0007-libunistring.md. */
#ifndef ALOHA_NAME_H
#define ALOHA_NAME_H

#include "aloha/err.h"
#include "aloha/str.h"

enum {
    NAME_SCALARS_MAX = 64,
    NAME_SIZE_MAX = NAME_SCALARS_MAX * 4,
    NAME_MARKS_MAX = 4, /* combining marks in a row, those of composed letters too */
    /* As it may come: what NFC makes one character of takes nine bytes at most when it is taken apart (a
     * Hangul syllable is three letters of three bytes). */
    NAME_RAW_SIZE_MAX = NAME_SCALARS_MAX * 9,
};

/* Cuts spaces and tabs off both ends, brings the rest into Normalization Form C and judges that.
 *   text      valid UTF-8.
 *   out       where *name points to afterwards.
 *   returns   OK, also for an empty name; ERR_BAD_NAME when it comes in more than NAME_RAW_SIZE_MAX bytes, or has then
 *             more than NAME_SCALARS_MAX scalar values, a control, a line or paragraph separator, a character that
 *             is invisible or turns the direction of text, or more than NAME_MARKS_MAX marks in a row;
 *             ERR_NO_MEMORY. On error *name is empty.
 *   spec      UAX #15 (NFC). Marks are the general categories Mn and Me (UAX #44); invisible is what Unicode calls
 *             default ignorable, but for variation selectors, which are marks: they tell
 *             an emoji from a sign and one form of a kanji from another. So a zero-width joiner is refused,
 *             with the emoji that are made of several; and U+034F, made to keep marks from composing, too. */
MUST_USE enum err name_normalize(struct str text, char out[NAME_SIZE_MAX], struct str *name);

#endif
